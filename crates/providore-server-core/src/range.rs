//! `Range` and `If-None-Match` (RFC 9110 sections 13 and 14), as far as a device uses them.

/// What part of a representation is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Whole,
    Bytes { start: u64, length: u64 },
    Unsatisfiable,
}

/// Evaluates `Range`. More than one range, another unit or a malformed value is ignored, which RFC
/// 9110 section 14.2 allows; so is a range whose `If-Range` is not the strong tag of what is here.
pub(crate) fn part(range: Option<&str>, if_range: Option<&str>, etag: &str, size: u64) -> Part {
    if if_range.is_some_and(|tag| tag != etag) {
        return Part::Whole;
    }
    let Some((first, last)) = range
        .and_then(|range| range.strip_prefix("bytes="))
        .and_then(|spec| spec.split_once('-'))
    else {
        return Part::Whole;
    };
    match (number(first), number(last)) {
        (Some(first), _) if first >= size && number_or_empty(last) => Part::Unsatisfiable,
        (Some(first), Some(last)) if first <= last => from_to(first, last, size),
        (Some(first), None) if last.is_empty() => from_to(first, u64::MAX, size),
        (None, Some(0)) if first.is_empty() => Part::Unsatisfiable,
        (None, Some(_)) if first.is_empty() && size == 0 => Part::Unsatisfiable,
        (None, Some(suffix)) if first.is_empty() => {
            from_to(size.saturating_sub(suffix), u64::MAX, size)
        }
        _ => Part::Whole,
    }
}

/// Whether `If-None-Match` names `etag`, by the weak comparison that RFC 9110 section 13.1.2 demands.
pub(crate) fn none_match(header: Option<&str>, etag: &str) -> bool {
    let opaque = |tag| str::strip_prefix(tag, "W/").unwrap_or(tag);
    header.is_some_and(|value| {
        let mut tags = value.split(',').map(str::trim);
        tags.any(|tag| tag == "*" || opaque(tag) == opaque(etag))
    })
}

fn from_to(first: u64, last: u64, size: u64) -> Part {
    let end = last.saturating_add(1).min(size);
    Part::Bytes {
        start: first,
        length: end.saturating_sub(first),
    }
}

fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

fn number_or_empty(text: &str) -> bool {
    text.is_empty() || number(text).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(range: &str, if_range: Option<&str>, expected: Part) {
        assert_eq!(
            part(Some(range), if_range, "\"e\"", 100),
            expected,
            "{range}"
        );
    }

    #[test]
    fn one_range_is_honoured() {
        check(
            "bytes=0-9",
            None,
            Part::Bytes {
                start: 0,
                length: 10,
            },
        );
        check(
            "bytes=90-",
            Some("\"e\""),
            Part::Bytes {
                start: 90,
                length: 10,
            },
        );
        check(
            "bytes=90-500",
            None,
            Part::Bytes {
                start: 90,
                length: 10,
            },
        );
        check(
            "bytes=-10",
            None,
            Part::Bytes {
                start: 90,
                length: 10,
            },
        );
        check(
            "bytes=-500",
            None,
            Part::Bytes {
                start: 0,
                length: 100,
            },
        );
    }

    #[test]
    fn tags_are_compared_weakly() {
        for etag in ["\"e\"", "W/\"e\""] {
            for header in ["\"e\"", "W/\"e\"", "\"a\", W/\"e\"", "*"] {
                assert!(none_match(Some(header), etag), "{header} {etag}");
            }
            for header in ["\"a\"", "w/\"e\"", "e", "W/", ""] {
                assert!(!none_match(Some(header), etag), "{header} {etag}");
            }
        }
        assert!(!none_match(None, "\"e\""));
    }

    #[test]
    fn a_range_outside_is_unsatisfiable() {
        check("bytes=100-", None, Part::Unsatisfiable);
        check("bytes=100-200", None, Part::Unsatisfiable);
        check("bytes=-0", None, Part::Unsatisfiable);
    }

    #[test]
    fn what_is_not_one_range_is_ignored() {
        for range in [
            "bytes=9-0",
            "bytes=0-1,5-6",
            "items=0-1",
            "bytes=a-b",
            "bytes=-",
            "0-1",
        ] {
            check(range, None, Part::Whole);
        }
        check("bytes=0-9", Some("\"other\""), Part::Whole);
        check("bytes=0-9", Some("W/\"e\""), Part::Whole);
        check("bytes=18446744073709551616-", None, Part::Whole);
    }
}
