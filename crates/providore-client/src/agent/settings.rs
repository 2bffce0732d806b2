//! How often to ask, what to accept, and the memory to do it in.

#[cfg(feature = "config-trial")]
use super::ConfigTrial;
#[cfg(feature = "notices")]
use crate::NoticePolicy;
use crate::{ImageCheck, RetryPolicy};

/// What the agent goes by.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settings {
    /// What an image for this hardware looks like.
    pub image: ImageCheck,
    /// The application's check of a configuration; without one it must look like JSON.
    pub config_check: Option<fn(&[u8]) -> bool>,
    /// Whether another configuration is on trial until the server was reached with it: see
    /// [`Agent::use_config`](super::Agent::use_config), which then has to be called at each start and
    /// after [`ConfigStep::OnTrial`](super::ConfigStep::OnTrial). Without, another one replaces the
    /// one that is stored.
    #[cfg(feature = "config-trial")]
    pub config_trial: Option<ConfigTrial>,
    /// How long to wait after a failure.
    pub retry: RetryPolicy,
    /// How often a step is tried within a day, at least once. An attempt after which the server
    /// names a time to wait does not count, up to 8 of them.
    pub attempts: u32,
    /// Whether a day includes the configuration.
    pub config: bool,
    /// Whether a day includes firmware.
    pub firmware: bool,
    /// Whether a day includes a look for another secret. Only in the `Signed` dialect.
    #[cfg(feature = "secret-rotation")]
    pub secret: bool,
    /// How often notices may cut a rest short.
    #[cfg(feature = "notices")]
    pub notices: NoticePolicy,
    /// How often firmware on trial is started without being confirmed, before it is rolled back.
    /// Only with authors.
    pub trial_boots: u8,
    /// How many seconds firmware on trial has, from each start on, to get an answer that the server
    /// has signed, before it is rolled back. Only with authors.
    pub trial_s: u32,
    /// From one day to the next, in seconds. A day may be an hour.
    pub interval_s: u32,
}

impl Settings {
    /// Everything, every hour, three attempts, the default waits; a trial of firmware of three starts
    /// of 10 minutes, and none of configurations.
    #[must_use]
    pub const fn new(image: ImageCheck) -> Self {
        Self {
            image,
            config_check: None,
            #[cfg(feature = "config-trial")]
            config_trial: None,
            retry: RetryPolicy::DEFAULT,
            attempts: 3,
            config: true,
            firmware: true,
            #[cfg(feature = "secret-rotation")]
            secret: true,
            #[cfg(feature = "notices")]
            notices: NoticePolicy::DEFAULT,
            trial_boots: 3,
            trial_s: 600,
            interval_s: 3_600,
        }
    }
}

/// Memory that the caller lends.
#[derive(Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the caller makes it as a literal"
)]
pub struct Buffers<'b> {
    /// For the head of a request, then for parts of a body and of what is stored; 1 to 4 KiB suit a
    /// microcontroller. With less than [`Request::MAX_LEN`](crate::Request::MAX_LEN) bytes a question
    /// may end in [`KeyError::Memory`](providore_sign::KeyError::Memory); 704 suffice for ids and
    /// versions of at most 32 characters. What is stored and does not fit here is written again even
    /// where it did not change. With authors it holds a chunk of an image while that is verified, and
    /// must be as long as one.
    pub chunk: &'b mut [u8],
    /// For a configuration or a certificate chain, of which it is the limit. What is encrypted takes
    /// 21 bytes more, and 17 for each of its records. With authors also for a manifest.
    pub document: &'b mut [u8],
}
