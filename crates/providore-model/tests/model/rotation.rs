//! probe
use providore_model::{Rules, rotation::*};
use stateright::{Checker, HasDiscoveries, Model};
#[test]
fn holds() {
    crate::check::holds(Rotation::new(Rules::all()), crate::check::AtLeast(1));
}
#[test]
fn probe() {
    for rule in [
        Rule::KeepOldUntilProven,
        Rule::StorePendingBeforeUse,
        Rule::ProvenBecomesOnly,
        Rule::FallBackToOld,
        Rule::WithdrawnIsForgotten,
        Rule::ReturnToPending,
        Rule::PromoteBeforeAnswer,
        Rule::PromoteInOneStep,
        Rule::AnswerFromVerifiedRecord,
        Rule::OperatorEditsInOneStep,
        Rule::NeverOfferedAgain,
        Rule::SecretTravelsEncrypted,
        Rule::NobodyHasTheOldSecret,
    ] {
        let t = std::time::Instant::now();
        let p = [
            "a secret in common",
            "they get through within three questions",
        ];
        let c = Rotation::new(Rules::without(rule))
            .checker()
            .finish_when(HasDiscoveries::AllOf(p.into()))
            .spawn_bfs()
            .join();
        for n in p {
            println!(
                "{rule:?} {n}: {:?} {:?} {}",
                c.discovery(n).map(|p| p.into_actions()),
                t.elapsed(),
                c.unique_state_count()
            );
        }
    }
}
