//! Running the checker.

use core::{fmt::Debug, hash::Hash};

use stateright::{Checker, HasDiscoveries, Model};

/// What is explored at least: a model that got smaller by mistake shows nothing.
#[derive(Clone, Copy)]
pub(crate) struct AtLeast(pub(crate) usize);

/// Everything that must hold does, in every state, and everything that must be possible is.
pub(crate) fn holds<M>(model: M, states: AtLeast)
where
    M: Model + Send + Sync + 'static,
    M::State: Clone + Debug + Hash + PartialEq + Send + Sync,
    M::Action: Clone + Debug + PartialEq,
{
    let checker = model.checker().threads(2).spawn_bfs().join();
    println!(
        "{} states, {} steps deep",
        checker.unique_state_count(),
        checker.max_depth()
    );
    checker.assert_properties();
    assert!(checker.is_done());
    assert!(checker.unique_state_count() >= states.0);
}

/// The checker finds that the property does not hold, and these steps are such an attack.
pub(crate) fn finds<M>(model: M, property: &'static str, attack: Vec<M::Action>)
where
    M: Model + Send + Sync + 'static,
    M::State: Clone + Debug + Hash + PartialEq + Send + Sync,
    M::Action: Clone + Debug + PartialEq,
{
    let wanted = HasDiscoveries::AllOf([property].into());
    let checker = model
        .checker()
        .threads(2)
        .finish_when(wanted)
        .spawn_bfs()
        .join();
    checker.assert_discovery(property, attack);
}
