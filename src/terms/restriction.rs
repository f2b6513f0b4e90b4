//! What of a device a run leaves unused, so that it runs as on a device with less.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

words! {
    /// Whose limits hold.
    LimitSet {
        /// The device's own.
        Device = "device",
        /// Those that the WebGPU standard promises everywhere, as a browser gives them.
        WebGpu = "webgpu",
    }
}

words! {
    /// An optional ability of devices.
    Feature {
        /// Operations between the invocations of a subgroup.
        Subgroups = "subgroups",
        /// Half precision, and with it matrices of it.
        F16 = "f16",
        /// 64-bit integers, as which a CPU adapter may load vectors.
        Int64 = "int64",
        /// Timestamps at the ends of passes.
        Timestamps = "timestamps",
        /// Timestamps between the dispatches of a pass.
        TimestampsInsidePasses = "timestamps-inside-passes",
        /// Pipelines kept from one process to the next: not used yet.
        PipelineCache = "pipeline-cache",
    }
}

/// What of a device is left unused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Restriction {
    /// Whose limits hold.
    pub limits: LimitSet,
    /// Features that the device may have and that are not used, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without: Vec<Feature>,
}

impl Default for Restriction {
    fn default() -> Self {
        Self::new(LimitSet::Device, &[])
    }
}

impl Restriction {
    /// Those limits, and without those features, in whatever order and however often they are named.
    pub fn new(limits: LimitSet, without: &[Feature]) -> Self {
        let mut without = without.to_vec();
        without.sort();
        without.dedup();
        Self { limits, without }
    }

    /// Whether the whole device is used.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a feature must not be used.
    pub fn lacks(&self, feature: Feature) -> bool {
        let implied = match feature {
            // WebGPU has no timestamps within a pass, and a page no cache of pipelines that it could keep; its
            // subgroups are optional and of any size, and integers have 32 bits.
            Feature::Subgroups | Feature::Int64 | Feature::PipelineCache => {
                self.limits == LimitSet::WebGpu
            }
            Feature::TimestampsInsidePasses => {
                self.limits == LimitSet::WebGpu || self.lacks(Feature::Timestamps)
            }
            Feature::F16 | Feature::Timestamps => false,
        };
        implied || self.without.contains(&feature)
    }
}

impl fmt::Display for Restriction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if self.limits == LimitSet::WebGpu {
            parts.push("limits of WebGPU".to_string());
        }
        if !self.without.is_empty() {
            let names: Vec<_> = self.without.iter().map(|feature| feature.name()).collect();
            parts.push(format!("without {}", names.join(", ")));
        }
        if parts.is_empty() {
            f.write_str("the whole device")
        } else {
            f.write_str(&parts.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_webgpu_lacks_need_not_be_named() {
        let web = Restriction::new(LimitSet::WebGpu, &[]);
        assert!(web.lacks(Feature::Subgroups) && web.lacks(Feature::TimestampsInsidePasses));
        assert!(!web.lacks(Feature::Timestamps));
        let blind = Restriction::new(LimitSet::Device, &[Feature::Timestamps]);
        assert!(blind.lacks(Feature::TimestampsInsidePasses), "they are timestamps, too");
        assert!(Feature::ALL.iter().all(|&feature| !Restriction::default().lacks(feature)));
    }

    #[test]
    fn the_order_of_names_makes_no_difference() {
        let [a, b] = [Feature::Timestamps, Feature::Subgroups];
        let restriction = Restriction::new(LimitSet::WebGpu, &[a, b, a]);
        assert_eq!(restriction, Restriction::new(LimitSet::WebGpu, &[b, a]));
        assert_eq!(restriction.to_string(), "limits of WebGPU, without subgroups, timestamps");
        assert_eq!(Restriction::default().to_string(), "the whole device");
    }
}
