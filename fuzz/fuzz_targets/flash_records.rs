#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| providore_fuzz::run("flash_records", data));
