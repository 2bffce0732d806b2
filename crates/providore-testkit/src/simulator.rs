//! Agents and a server on links that lose, delay, repeat and damage: no socket, no clock, no sleep.
//!
//! A [`Bench`] is a device that installs firmware of its author's, on a flash whose power can fail at
//! any write; a [`Publisher`] is the server that it asks, which can lie.
//!
//! A [`World`] is one server and virtual time. A [`Unit`] is a device in it: the real
//! [`Agent`](providore_client::Agent) over a [`Link`], whose [`Weather`] says what goes wrong.
//! Equal seeds give equal days.
//!
//! ```
//! use providore_testkit::simulator::{Fault, Unit, Weather, World};
//!
//! let world = World::new();
//! let mut unit = Unit::new(&world, "dev1", Weather::script(&[Fault::AnswerLost]));
//! let days = world.run(unit.live(3));
//! assert_eq!(days, Some(2)); // one until the new firmware runs, one on it
//! assert_eq!(unit.version().as_str(), "2.0.0");
//! ```

mod bench;
mod limits;
mod link;
mod prng;
mod publisher;
mod time;
mod unit;
mod world;

pub use bench::{Bench, Flash, LinkFault, MemoryFlash, run};
pub use limits::TokenBucket;
pub use link::{Fault, Link, Recorded, TIMEOUT_MS, Weather};
pub use prng::Prng;
pub use publisher::{HARDWARE, Inner, Offer, Publisher, author, head_len, image_of, request_len};
pub use time::{Task, Timeline};
pub use unit::{CONFIG_1, CONFIG_2, SkewedClock, Unit, UnitParts, image};
pub use world::World;
