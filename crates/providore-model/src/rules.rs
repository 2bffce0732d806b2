//! Which rules are in force.

/// All rules of a model, or all but one.
///
/// A model that finds nothing may be right, or blind. Without one of its rules it has to find the
/// fault which that rule prevents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules<R> {
    missing: Option<R>,
}

impl<R: Copy + PartialEq> Rules<R> {
    /// The protocol as it is.
    #[must_use]
    pub const fn all() -> Self {
        Self { missing: None }
    }

    /// The protocol as it would be without this rule.
    #[must_use]
    pub const fn without(rule: R) -> Self {
        Self {
            missing: Some(rule),
        }
    }

    pub(crate) fn hold(&self, rule: R) -> bool {
        self.missing != Some(rule)
    }
}
