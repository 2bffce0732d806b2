//! An answer is of its question, and a request of its device.

use providore_model::{
    Rules,
    agreement::{
        Action::{self, *},
        Agreement, Answer, AnswerUnder, Body, Owner, Request, RequestUnder, Route, Rule, Status,
    },
};

use crate::check::{AtLeast, finds, holds};

const ANSWER: &str = "an answer is of its question";
const REQUEST: &str = "a request is of its device";

const THIS: Answer = Answer::new(Status::Ok, Body::This);
const THAT: Answer = Answer::new(Status::Ok, Body::That);
const NOTHING: Answer = Answer::new(Status::Nothing, Body::This);

const REPORTS: Action = Ask(Route::Report, Body::This);

/// The device's question of this number reaches the server as it was asked.
const fn reports(number: u8) -> Action {
    let said = Request::new(Owner::Device, Route::Report, Body::This, number);
    Request(RequestUnder::Question(number as usize), said, THIS)
}

/// The first question reaches the server as something else.
const fn turned_into(route: Route, body: Body) -> Action {
    let said = Request::new(Owner::Device, route, body, 0);
    Request(RequestUnder::Question(0), said, THIS)
}

/// The device is given this under the MAC of the server's first answer.
const fn given(answer: Answer) -> Action {
    Answer(AnswerUnder::Answer(0), answer)
}

fn check(rule: Rule, property: &'static str, attack: &[Action]) {
    let model = Agreement::new(Rules::without(rule));
    finds(model, property, attack.to_vec());
}

#[test]
fn answers_are_of_their_questions_and_requests_of_their_devices() {
    holds(Agreement::new(Rules::all()), AtLeast(31_000));
}

/// It covers the question's signature, and that covers the route: twice is once.
#[test]
fn an_answer_need_not_cover_the_route_of_its_question() {
    let rules = Rules::without(Rule::AnswerCoversRoute);
    holds(Agreement::new(rules), AtLeast(31_000));
}

#[test]
fn a_request_is_sent_to_another_route() {
    let attack = [REPORTS, turned_into(Route::Config, Body::This)];
    check(Rule::RequestCoversRoute, REQUEST, &attack);
}

#[test]
fn a_request_is_given_another_body() {
    let attack = [REPORTS, turned_into(Route::Report, Body::That)];
    check(Rule::RequestCoversBody, REQUEST, &attack);
}

#[test]
fn an_answer_is_turned_into_nothing_new() {
    let attack = [REPORTS, reports(0), given(NOTHING)];
    check(Rule::AnswerCoversStatus, ANSWER, &attack);
}

#[test]
fn an_answer_is_given_another_body() {
    let attack = [REPORTS, reports(0), given(THAT)];
    check(Rule::AnswerCoversBody, ANSWER, &attack);
}

#[test]
fn an_answer_is_kept_for_the_next_question() {
    let attack = [REPORTS, reports(0), REPORTS, given(THIS)];
    check(Rule::AnswerCoversQuestion, ANSWER, &attack);
}

/// A device that draws the same numbers after every start is open to this.
#[test]
fn an_answer_is_kept_until_the_same_question_is_asked_again() {
    let attack = [REPORTS, reports(0), REPORTS, given(THIS)];
    check(Rule::NonceIsNew, ANSWER, &attack);
}

#[test]
fn another_device_asks_in_the_name_of_this_one() {
    let said = Request::new(Owner::Device, Route::Report, Body::This, 0);
    let attack = [Request(RequestUnder::OwnKey, said, THIS)];
    check(Rule::KeyOfClaimedDevice, REQUEST, &attack);
}

#[test]
fn an_answer_without_a_signature() {
    let attack = [REPORTS, Answer(AnswerUnder::Nothing, THIS)];
    check(Rule::UnsignedIsOnlyAHint, ANSWER, &attack);
}
