//! Certificates for devices.
#![no_std]
