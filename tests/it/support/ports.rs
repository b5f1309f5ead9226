//! Ports for tests: below those from which the kernel gives local ports to outgoing connections (32768
//! and up), or a connection of a test beside this one could hold a port that a broker needs.

use std::hash::{BuildHasher as _, RandomState};
use std::net::TcpListener;

const LOWEST: u16 = 10_000;
const HIGHEST: u16 = 31_600;
/// What the largest cluster of the tests needs.
const BLOCK: u16 = 100;

/// The first of 100 ports that nobody uses right now.
pub(crate) fn free_block() -> u16 {
    let blocks = u64::from((HIGHEST - LOWEST) / BLOCK);
    for attempt in 0..1_000_u64 {
        let drawn = RandomState::new().hash_one((attempt, std::process::id())) % blocks;
        let base = LOWEST + BLOCK * u16::try_from(drawn).unwrap();
        if (base..base + BLOCK).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok()) {
            return base;
        }
    }
    panic!("no 100 free ports in a row between {LOWEST} and {HIGHEST}")
}
