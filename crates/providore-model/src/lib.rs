//! The protocol `Signed` as three small models, in which a checker visits every state that an
//! attacker, a crash or an operator can bring about within bounds.
//!
//! It checks the rules, not the code that follows them: no byte is parsed and no MAC computed. A
//! MAC is the pair of its key and what was put under it, and who has not got the key cannot make
//! one. `docs/MODEL.md` says what is left out.
//!
//! ```
//! use providore_model::{Rules, freshness::{Freshness, Rule}};
//! use stateright::{Checker as _, HasDiscoveries, Model as _};
//!
//! let careless = Freshness::new(Rules::without(Rule::NonceIsNew)).checker();
//! let careless = careless.finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
//! assert!(careless.discovery("executed at most once").is_some());
//! ```
//!
//! | module or type | is |
//! |---|---|
//! | [`agreement`] | an answer belongs to its question, a request to its device |
//! | [`freshness`] | no request is executed twice or late, with clocks, without, and across restarts |
//! | [`rotation`] | device and server keep a common secret while it is being replaced |
//! | [`Rules`] | the rules of the protocol, all but one of which can be in force |

#![expect(
    clippy::arithmetic_side_effects,
    reason = "bounds keep every number small, and an overflow fails the test that runs the model"
)]

extern crate alloc;

pub mod agreement;
pub mod freshness;
pub mod rotation;
mod rules;

pub use rules::Rules;
