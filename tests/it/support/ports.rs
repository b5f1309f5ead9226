//! Ports for tests: below those from which the kernel gives local ports to outgoing connections (32768
//! and up), or a connection of a test beside this one could hold a port that a broker needs.

use std::collections::BTreeSet;
use std::hash::{BuildHasher as _, RandomState};
use std::net::TcpListener;
use std::sync::Mutex;

const LOWEST: u16 = 10_000;
const HIGHEST: u16 = 31_600;
/// What the largest cluster of the tests needs.
const BLOCK: u16 = 100;

/// Blocks that tests of this process were given: what was drawn is not bound yet when another one draws.
static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// The first of 100 ports that nobody uses right now.
pub(crate) fn free_block() -> u16 {
    let mut given = GIVEN.lock().unwrap();
    let blocks = u64::from((HIGHEST - LOWEST) / BLOCK);
    for attempt in 0..1_000_u64 {
        let drawn = RandomState::new().hash_one((attempt, std::process::id())) % blocks;
        let base = LOWEST + BLOCK * u16::try_from(drawn).unwrap();
        let is_free = |port| TcpListener::bind(("127.0.0.1", port)).is_ok();
        if !given.contains(&base) && (base..base + BLOCK).all(is_free) {
            given.insert(base);
            return base;
        }
    }
    panic!("no 100 free ports in a row between {LOWEST} and {HIGHEST}")
}
