//! What a record's figures were measured under, where that is not what figures are published under.

use super::{BuildProfile, Record, ShaderSource};
use crate::terms::{Checks, Precision, Restriction};

impl Record {
    /// `f16`, `not fused`, `bounds checks`: each changes the figures. Nothing where all is as published.
    pub fn conditions(&self) -> Vec<String> {
        let config = &self.config;
        let first = named([
            (config.precision != Precision::F32, config.precision.to_string()),
            (!config.fuse, "not fused".into()),
            (self.tool.profile == BuildProfile::Debug, "debug build".into()),
        ]);
        first.chain(self.further_conditions()).collect()
    }

    /// The same without precision, fusion and build, where these are told anyway.
    pub fn further_conditions(&self) -> impl Iterator<Item = String> {
        let config = &self.config;
        // A page cannot switch its checks off.
        let checked = config.checks == Checks::On && self.tool.client.is_native();
        let forced = self.tuning.as_ref().is_some_and(|tuning| !tuning.forced.is_empty());
        of_device(checked, &config.restriction, config.shaders).chain(named([
            (forced, "forced variants".into()),
            (config.data.is_some(), "data of its own".into()),
        ]))
    }
}

/// Those of them that hold for all that a device runs, a single kernel too.
pub fn of_device(
    checked: bool,
    restriction: &Restriction,
    shaders: ShaderSource,
) -> impl Iterator<Item = String> + use<> {
    named([
        (checked, "bounds checks".into()),
        (!restriction.is_none(), restriction.to_string()),
        (!shaders.is_built_in(), format!("kernels {shaders}")),
    ])
}

fn named<const N: usize>(all: [(bool, String); N]) -> impl Iterator<Item = String> + use<N> {
    all.into_iter().filter_map(|(is_so, words)| is_so.then_some(words))
}

#[cfg(test)]
mod tests {
    use crate::analysis::synthetic;
    use crate::record::Client;
    use crate::terms::{Checks, Precision};

    #[test]
    fn what_is_not_as_published_is_named() {
        let mut record = synthetic::record(&[]);
        record.config.fuse = true;
        assert!(record.conditions().is_empty());
        record.config.fuse = false;
        record.config.precision = Precision::F16;
        record.config.checks = Checks::On;
        assert_eq!(record.conditions(), ["f16", "not fused", "bounds checks"]);
        record.tool.client = Client::Browser;
        assert_eq!(record.conditions(), ["f16", "not fused"], "every page has checks");
    }
}
