//! Signed HTTP for devices with one shared secret.
#![no_std]
