//! probe
use providore_model::{Rules, agreement::*};
use stateright::{Checker, HasDiscoveries, Model};
#[test]
fn holds() {
    crate::check::holds(Agreement::new(Rules::all()), crate::check::AtLeast(1));
}
#[test]
fn probe() {
    for rule in [
        Rule::RequestCoversRoute,
        Rule::RequestCoversBody,
        Rule::AnswerCoversStatus,
        Rule::AnswerCoversBody,
        Rule::AnswerCoversQuestion,
        Rule::AnswerCoversRoute,
        Rule::NonceIsNew,
        Rule::KeyOfClaimedDevice,
        Rule::UnsignedIsOnlyAHint,
    ] {
        let t = std::time::Instant::now();
        let c = Agreement::new(Rules::without(rule))
            .checker()
            .threads(2)
            .finish_when(HasDiscoveries::AnyFailures)
            .spawn_bfs()
            .join();
        for n in ["an answer is of its question", "a request is of its device"] {
            println!(
                "{rule:?} {n}: {:?} {:?}",
                c.discovery(n).map(|p| p.into_actions()),
                t.elapsed()
            );
        }
    }
}
