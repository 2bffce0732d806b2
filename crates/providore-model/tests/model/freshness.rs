//! probe
use providore_model::{
    Rules,
    freshness::{Freshness, Rule},
};
use stateright::{Checker, HasDiscoveries, Model};
#[test]
fn holds() {
    crate::check::holds(Freshness::new(Rules::all()), crate::check::AtLeast(1));
}
#[test]
fn probe() {
    for rule in [
        Rule::NonceIsNew,
        Rule::ExpiredIsRefused,
        Rule::FutureIsRefused,
        Rule::RestartRule,
        Rule::RestartSkew,
        Rule::RestartRuleIsStrict,
        Rule::ChallengeExpires,
        Rule::ChallengeBoundToStart,
        Rule::GuardKeepsUntilExpiry,
        Rule::FullGuardRefuses,
        Rule::OneReadingOfTheClock,
        Rule::ServerClockNeverGoesBack,
    ] {
        let t = std::time::Instant::now();
        let c = Freshness::new(Rules::without(rule))
            .checker()
            .threads(2)
            .finish_when(HasDiscoveries::AnyFailures)
            .spawn_bfs()
            .join();
        for n in ["executed at most once", "executed soon or never"] {
            println!(
                "{rule:?} {n}: {:?} {:?}",
                c.discovery(n).map(|p| p.into_actions()),
                t.elapsed()
            );
        }
    }
}
