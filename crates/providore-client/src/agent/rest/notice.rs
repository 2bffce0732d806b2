//! A rest that a notice of the server cuts short.

use core::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
};

use providore_sign::MacKey;
use providore_wire::notice::{Notice, Waiting};

use crate::{Agent, Clock as _, Event, NoticeSource, Parts};

impl<K: MacKey, P: Parts> Agent<'_, K, P> {
    /// Sleeps as [`rest`](Self::rest) does, or until a notice counts that comes by `source`: then soon
    /// after it, as [`Settings::notices`](crate::Settings::notices) say. What waits, if that was the
    /// reason.
    ///
    /// Only in the `Signed` dialect a notice counts.
    pub async fn rest_or_notice(&mut self, source: &mut impl NoticeSource) -> Option<Waiting> {
        let milliseconds = self.begin_rest();
        let begun_ms = self.platform.parts().clock.uptime_ms();
        let end_ms = begun_ms.saturating_add(milliseconds);
        loop {
            let clock = &mut self.platform.parts().clock;
            let now_ms = clock.uptime_ms();
            let until_ms = self.notices.due_ms().unwrap_or(end_ms).min(end_ms);
            if until_ms <= now_ms {
                return self.notices.poll(now_ms);
            }
            // One byte more, to tell what is too long.
            let mut datagram = [0; Notice::LEN + 1];
            let sleep = clock.sleep_ms(until_ms.saturating_sub(now_ms));
            let Some(length) = first(source.receive(&mut datagram), sleep).await else {
                let now_ms = self.platform.parts().clock.uptime_ms();
                return self.notices.poll(now_ms);
            };
            self.hear(datagram.get(..length).unwrap_or_default());
        }
    }

    fn hear(&mut self, datagram: &[u8]) {
        let parts = self.platform.parts();
        let (now_ms, entropy) = (parts.clock.uptime_ms(), &mut parts.entropy);
        let heard = self.notices.hear(datagram, &self.device, now_ms, entropy);
        match heard {
            Ok(()) => self.say(&Event::NoticeHeard),
            Err(fault) => self.say(&Event::NoticeIgnored(fault)),
        }
    }
}

/// What `wanted` comes to, unless `end` comes first.
async fn first<T>(wanted: impl Future<Output = T>, end: impl Future<Output = ()>) -> Option<T> {
    let (mut wanted, mut end) = (pin!(wanted), pin!(end));
    poll_fn(|context| {
        if let Poll::Ready(it) = wanted.as_mut().poll(context) {
            return Poll::Ready(Some(it));
        }
        end.as_mut().poll(context).map(|()| None)
    })
    .await
}
