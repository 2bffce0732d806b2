//! Tasks that a server cannot do without: when one ends, the server does.
//!
//! A server whose reload task has died would go on to let in a device that was disabled since. So it
//! ends, with an exit code that the service manager sees, and is started again.

use std::{collections::HashMap, future::Future};

use tokio::task::{Id, JoinSet};

use crate::failure::Failure;

#[derive(Default)]
pub(super) struct Tasks {
    set: JoinSet<()>,
    names: HashMap<Id, &'static str>,
}

impl Tasks {
    /// Runs a task that ends only when the server is told to stop.
    pub(super) fn spawn(
        &mut self,
        name: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        let id = self.set.spawn(task).id();
        self.names.insert(id, name);
    }

    /// Ready when a task has ended although nobody told it to, by a panic or by itself.
    pub(super) async fn death(&mut self) -> Failure {
        let (id, how) = match self.set.join_next_with_id().await {
            Some(Ok((id, ()))) => (id, "ended"),
            Some(Err(error)) => (error.id(), "panicked"),
            None => std::future::pending().await,
        };
        let name = self.names.get(&id).copied().unwrap_or("unknown");
        Failure::new(format!("the {name} task {how}"))
            .hint("the server cannot go on without it; the log says more. Start it again")
    }

    /// Ready when all have ended.
    pub(super) async fn ended(mut self) {
        while self.set.join_next().await.is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn check(task: impl Future<Output = ()> + Send + 'static, expected: &str) {
        let mut tasks = Tasks::default();
        tasks.spawn("other", std::future::pending());
        tasks.spawn("reload", task);
        let death = tasks.death().await.to_string();
        assert!(death.contains(expected), "{death}");
    }

    #[tokio::test]
    async fn a_task_that_dies_is_named() {
        check(async { panic!("on purpose") }, "the reload task panicked").await;
        check(async {}, "the reload task ended").await;
    }

    #[tokio::test]
    async fn nothing_dies_while_all_tasks_run() {
        let mut tasks = Tasks::default();
        tasks.spawn("other", std::future::pending());
        let soon = std::time::Duration::from_millis(50);
        assert!(tokio::time::timeout(soon, tasks.death()).await.is_err());
    }
}
