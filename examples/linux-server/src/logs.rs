//! `logs`.
