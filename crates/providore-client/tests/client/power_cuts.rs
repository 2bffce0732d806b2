//! Power that fails at each write.

use providore_client::{Agent, Buffers, FirmwareStep, Record};

use crate::{
    agent::{IMAGE, platform, run, server, settings},
    support::device,
};

const OLD: &[u8] = b"image 1";
const NEW: &[u8] = &IMAGE;

#[test]
fn a_cut_at_any_write_leaves_one_whole_image() {
    // begin, two writes, commit: with five steps nothing is cut any more.
    let expected = [OLD, OLD, OLD, OLD, NEW];
    for (steps, image) in (0..).zip(expected) {
        let (mut chunk, mut document) = ([0; 512], [0; 64]);
        let buffers = Buffers {
            chunk: &mut chunk,
            document: &mut document,
        };
        let mut agent = Agent::new(device(), platform(server()), settings(), buffers);
        agent.platform_mut().slot.power_mut().cut_after(steps);
        let outcome = run(agent.check_firmware());
        assert_eq!(outcome.is_ok(), image == NEW, "cut after {steps}");
        assert_eq!(
            agent.platform_mut().slot.image(),
            image,
            "cut after {steps}"
        );

        // The power is back: the device gets there in the end.
        agent.platform_mut().slot.power_mut().restore();
        let step = run(agent.check_firmware()).unwrap();
        assert_eq!(step, FirmwareStep::OnTrial);
        assert_eq!(agent.platform_mut().slot.image(), NEW);
    }
}

#[test]
fn a_cut_while_storing_leaves_the_old_configuration() {
    let (mut chunk, mut document) = ([0; 512], [0; 64]);
    let buffers = Buffers {
        chunk: &mut chunk,
        document: &mut document,
    };
    let mut agent = Agent::new(device(), platform(server()), settings(), buffers);
    let content = |agent: &mut Agent<'_, _, crate::agent::MemoryPlatform>| {
        let content = agent.platform_mut().storage.content(Record::Config);
        content.map(<[u8]>::to_vec)
    };
    agent.platform_mut().storage.power_mut().cut_after(0);
    assert!(run(agent.check_config()).is_err());
    assert_eq!(content(&mut agent), None);
    agent.platform_mut().storage.power_mut().restore();
    // The answer that was not stored is not named as "what we have": the next is whole again.
    assert!(run(agent.check_config()).is_ok());
    assert_eq!(content(&mut agent), Some(b"{\"a\":1}".to_vec()));
}

#[test]
fn a_cut_in_a_roll_back_leaves_the_trial() {
    let (mut chunk, mut document) = ([0; 512], [0; 64]);
    let buffers = Buffers {
        chunk: &mut chunk,
        document: &mut document,
    };
    let mut agent = Agent::new(device(), platform(server()), settings(), buffers);
    run(agent.check_firmware()).unwrap();
    agent.platform_mut().slot.power_mut().cut_after(0);
    assert!(run(agent.reject_firmware()).is_err());
    assert!(agent.platform_mut().slot.is_on_trial());
    agent.platform_mut().slot.power_mut().restore();
    run(agent.reject_firmware()).unwrap();
    assert_eq!(agent.platform_mut().slot.image(), OLD);
}
