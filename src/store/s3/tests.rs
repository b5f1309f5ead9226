//! The store on S3: the rules of every home, and what S3 and networks do beside.
//!
//! Needs a Python with moto: `MSK_STAND_PYTHON` (`tests/stand/requirements.txt`), else `MSK_TEST_PYTHON`.

mod faults;
mod moto;
mod relay;

use crate::store::conformance::{World, conformance};

async fn world() -> World {
    let mut world = World::new(moto::of(&moto::home().await), ());
    world.rounds = 15;
    world
}

conformance!(world);
