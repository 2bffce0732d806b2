//! A secret is replaced without a moment at which device and server have none in common.

use providore_model::{
    Rules,
    rotation::{
        Action::{self, *},
        Ask, Rotation, Rule,
    },
};

use crate::check::{AtLeast, finds, holds};

const COMMON: &str = "a secret in common";
const THROUGH: &str = "they get through within three questions";

/// The operator offers a secret, and the device has it beside the old one.
const OFFERED: [Action; 5] = [Offer, Ask(Ask::Secret), Deliver, Finish(0), TakeSecret(1)];

/// What the checker finds without this rule, once a secret was offered and taken.
fn check(rule: Rule, property: &'static str, then: &[Action]) {
    let attack = [&OFFERED, then].concat();
    finds(Rotation::new(Rules::without(rule)), property, attack);
}

#[test]
fn a_secret_is_in_common_whatever_is_lost() {
    holds(Rotation::new(Rules::all()), AtLeast(12_000));
}

#[test]
fn an_offer_is_withdrawn_when_the_device_has_forgotten_the_old_secret() {
    check(Rule::KeepOldUntilProven, COMMON, &[Withdraw]);
}

#[test]
fn the_device_crashes_after_signing_with_what_it_has_not_stored() {
    let then = [Ask(Ask::Other), Deliver, DeviceCrash];
    check(Rule::StorePendingBeforeUse, COMMON, &then);
}

#[test]
fn a_second_rotation_takes_the_place_of_the_secret_that_the_server_has() {
    let then = [
        Ask(Ask::Other),
        Deliver,
        GiveUp,
        Offer,
        Ask(Ask::Secret),
        Deliver,
        Finish(0),
        TakeSecret(2),
        Offer,
    ];
    check(Rule::ProvenBecomesOnly, COMMON, &then);
}

#[test]
fn an_offer_is_withdrawn_when_the_device_never_tries_the_old_secret() {
    check(Rule::FallBackToOld, THROUGH, &[Withdraw]);
}

#[test]
fn a_forged_refusal_makes_the_device_use_the_old_secret_for_ever() {
    let then = [Ask(Ask::Other), Refused, DeliverOld(1)];
    check(Rule::ReturnToPending, THROUGH, &then);
}

#[test]
fn a_secret_that_was_withdrawn_is_tried_for_ever() {
    check(Rule::WithdrawnIsForgotten, THROUGH, &[Withdraw]);
}

#[test]
fn the_server_crashes_between_its_answer_and_its_write() {
    let then = [
        Ask(Ask::Other),
        Deliver,
        Finish(0),
        TakeOther,
        ServerCrash,
        Offer,
    ];
    check(Rule::PromoteBeforeAnswer, COMMON, &then);
}

#[test]
fn a_slow_request_promotes_what_the_operator_has_replaced_meanwhile() {
    let then = [
        Ask(Ask::Other),
        Deliver,
        Refused,
        Offer,
        Ask(Ask::Secret),
        Deliver,
        Finish(1),
        TakeSecret(2),
        Finish(0),
    ];
    check(Rule::PromoteInOneStep, COMMON, &then);
}

/// No operator needed: a forged refusal, and two requests at the server at once.
#[test]
fn a_slow_request_under_the_old_secret_is_told_that_nothing_waits() {
    let then = [
        Ask(Ask::Other),
        Refused,
        Ask(Ask::Secret),
        Deliver,
        DeliverOld(1),
        Finish(0),
        TakeNothing,
    ];
    check(Rule::AnswerFromVerifiedRecord, COMMON, &then);
}

#[test]
fn the_operators_tool_writes_back_what_it_read_before_a_promotion() {
    let then = [
        OperatorReads,
        Ask(Ask::Other),
        Deliver,
        Finish(0),
        TakeOther,
        OperatorWrites,
    ];
    check(Rule::OperatorEditsInOneStep, COMMON, &then);
}

#[test]
fn a_backup_from_before_a_promotion_is_restored() {
    let then = [
        Ask(Ask::Other),
        Deliver,
        Finish(0),
        TakeOther,
        RestoreBackup,
    ];
    check(Rule::NoBackupIsRestored, COMMON, &then);
}

#[test]
fn an_old_request_promotes_a_secret_that_is_offered_again() {
    let then = [
        Ask(Ask::Other),
        Refused,
        Withdraw,
        Ask(Ask::Secret),
        Deliver,
        Finish(0),
        TakeNothing,
        OfferAgain(1),
        DeliverOld(1),
    ];
    check(Rule::NeverOfferedAgain, COMMON, &then);
}

#[test]
fn a_listener_promotes_the_secret_that_he_heard() {
    let attack = vec![Offer, Ask(Ask::Secret), Deliver, Finish(0), Forge(1)];
    let rules = Rules::without(Rule::SecretTravelsEncrypted);
    finds(Rotation::new(rules), COMMON, attack);
}

/// Rotation is for hygiene: it does not bring back a device whose secret is known.
#[test]
fn who_has_the_old_secret_takes_the_new_one_before_the_device() {
    let attack = vec![Offer, Forge(0), Forge(1)];
    let rules = Rules::without(Rule::NobodyHasTheOldSecret);
    finds(Rotation::new(rules), COMMON, attack);
}
