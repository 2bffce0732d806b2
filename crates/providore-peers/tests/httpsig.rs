//! The crate `httpsig` and we.

use providore_peers::{Httpsig, Message, Peer as _, suite};

#[test]
fn it_accepts_our_requests() {
    suite::peer_accepts_our_requests(&mut Httpsig);
}

#[test]
fn we_accept_its_requests() {
    suite::we_accept_requests_of_the_peer(&mut Httpsig);
}

#[test]
fn it_accepts_our_responses() {
    suite::peer_accepts_our_responses(&mut Httpsig);
}

#[test]
fn we_accept_its_responses() {
    suite::we_accept_responses_of_the_peer(&mut Httpsig);
}

#[test]
fn it_makes_the_bases_of_the_vectors_whose_parameters_it_can_keep_in_order() {
    for vector in providore_testkit::vectors::signed() {
        let tag = "providore-2";
        if vector.name == "refused-wrong-tag" {
            continue;
        }
        let base = Httpsig.base(&Message::Request(&vector.request), tag);
        let same = base == vector.request_base;
        assert_eq!(
            same,
            vector.name != "other-implementation",
            "{}",
            vector.name
        );
        if let (Some(response), Some(expected)) = (&vector.response, &vector.response_base) {
            let message = Message::Response(response, &vector.request);
            let base = Httpsig.base(&message, "providore-2-response");
            let same = base == *expected;
            assert_eq!(
                same,
                vector.name != "other-implementation",
                "{}",
                vector.name
            );
        }
    }
}
