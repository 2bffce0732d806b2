//! Virtual time, and an executor that moves it on when everybody sleeps.

use alloc::{
    collections::{BTreeMap, VecDeque},
    rc::Rc,
    sync::Arc,
    task::Wake,
};
use core::{
    cell::{Cell, RefCell},
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker},
};
use std::sync::{Mutex, PoisonError};

/// What [`Timeline::run_all`] runs.
pub type Task<'t, T> = Pin<Box<dyn Future<Output = T> + 't>>;

/// Milliseconds since the beginning. A clone is the same time.
#[derive(Debug, Clone, Default)]
pub struct Timeline(Rc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    now_ms: Cell<u64>,
    serial: Cell<u64>,
    timers: RefCell<BTreeMap<(u64, u64), Waker>>,
}

impl Timeline {
    /// No simulation takes longer: a century.
    const END_MS: u64 = 100 * 366 * 86_400 * 1000;

    /// Milliseconds since the beginning.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.0.now_ms.get()
    }

    /// Waits.
    pub async fn sleep_ms(&self, milliseconds: u64) {
        let serial = self.0.serial.get() + 1;
        self.0.serial.set(serial);
        let sleep = Sleep {
            timeline: self,
            timer: (self.now_ms().saturating_add(milliseconds), serial),
        };
        sleep.await;
    }

    /// Runs one future to its end.
    ///
    /// # Panics
    /// If it waits for something that cannot happen, or for a century.
    pub fn run<T>(&self, future: impl Future<Output = T>) -> T {
        let mut ended = self.run_all(vec![Box::pin(future)]);
        ended.pop().expect("as many results as futures")
    }

    /// Runs futures side by side to their ends. Time passes only when all of them wait.
    ///
    /// # Panics
    /// If one waits for something that cannot happen, or for a century.
    pub fn run_all<T>(&self, futures: Vec<Task<'_, T>>) -> Vec<T> {
        let woken = Arc::new(Mutex::new((0..futures.len()).collect::<VecDeque<_>>()));
        let next = || {
            woken
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .pop_front()
        };
        let mut ended: Vec<Option<T>> = futures.iter().map(|_| None).collect();
        let mut running: Vec<Option<Task<'_, T>>> = futures.into_iter().map(Some).collect();
        let mut left = running.len();
        while left > 0 {
            let Some(id) = next() else {
                self.advance();
                continue;
            };
            let Some(task) = &mut running[id] else {
                continue;
            };
            let queue = Arc::clone(&woken);
            let waker = Waker::from(Arc::new(Wakes { id, queue }));
            if let Poll::Ready(result) = task.as_mut().poll(&mut Context::from_waker(&waker)) {
                ended[id] = Some(result);
                running[id] = None;
                left -= 1;
            }
        }
        ended.into_iter().flatten().collect()
    }

    /// On to the next moment for which somebody waits.
    fn advance(&self) {
        let first = self.0.timers.borrow_mut().pop_first();
        let ((at_ms, _), waker) = first.expect("somebody waits for what cannot happen");
        assert!(at_ms < Self::END_MS, "somebody waits for a century");
        self.0.now_ms.set(at_ms.max(self.now_ms()));
        waker.wake();
    }
}

struct Wakes {
    id: usize,
    queue: Arc<Mutex<VecDeque<usize>>>,
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.push_back(self.id);
    }
}

struct Sleep<'t> {
    timeline: &'t Timeline,
    timer: (u64, u64),
}

impl Future for Sleep<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.timer.0 <= self.timeline.now_ms() {
            return Poll::Ready(());
        }
        let mut timers = self.timeline.0.timers.borrow_mut();
        timers.insert(self.timer, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep<'_> {
    fn drop(&mut self) {
        self.timeline.0.timers.borrow_mut().remove(&self.timer);
    }
}
