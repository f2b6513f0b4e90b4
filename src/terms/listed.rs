//! What was taken of a data set and what was passed over, as people and records have it.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

words! {
    /// Why a part of a data set was passed over.
    Reason {
        /// A file or folder whose name starts with a dot, as macOS's `._` files, or that a system left behind.
        Hidden = "hidden",
        /// A file that lies beside the class folders.
        Beside = "beside",
        /// A file or folder that the set has no use for.
        Unused = "unused",
        /// A second form of a file that is taken.
        SecondForm = "second-form",
        /// Neither a file nor a folder: a broken link, a pipe.
        Special = "special",
        /// A link to a file or a folder that is listed anyway.
        SeenBefore = "seen-before",
        /// A copy of an image that is in another class, or is learned from.
        Duplicate = "duplicate",
        /// A name that is not UTF-8.
        Name = "name",
        /// A class without images.
        EmptyClass = "empty-class",
        /// A file of another kind among the samples.
        Foreign = "foreign",
        /// A member of an archive that is a link.
        Link = "link",
        /// A member of an archive that is stored with holes.
        Sparse = "sparse",
        /// A member of an archive of a type that holds no file.
        MemberType = "member-type",
        /// A sample without its other file.
        Alone = "alone",
        /// One of the two sentences that every speaker of TIMIT reads.
        Dialect = "dialect",
        /// A sample that cannot be read.
        Unreadable = "unreadable",
        /// A sample that is longer than the model takes.
        TooLong = "too-long",
        /// A sentence before a question that is older than the model remembers.
        Forgotten = "forgotten",
        /// A pair that fits a smaller bucket, which is not trained.
        Shorter = "shorter",
        /// A line that is blank in both languages.
        Blank = "blank",
        /// A line that is blank in one language.
        HalfBlank = "half-blank",
        /// A file that is shorter than others suggest: what would follow may be missing.
        EndsEarly = "ends-early",
        /// A sample beyond the most that are kept.
        Beyond = "beyond",
    }
}

impl Reason {
    /// What is counted, for one and for several.
    fn nouns(self) -> [&'static str; 2] {
        match self {
            Self::Hidden => ["hidden file", "hidden files"],
            Self::Beside => ["file beside the class folders", "files beside the class folders"],
            Self::Unused => ["entry that is not used", "entries that are not used"],
            Self::SecondForm => ["second form of a file", "second forms of files"],
            Self::Special => ["entry that is not a file", "entries that are not files"],
            Self::SeenBefore => {
                ["link to what is listed already", "links to what is listed already"]
            }
            Self::Duplicate => [
                "copy of an image in another class or half",
                "copies of images in another class or half",
            ],
            Self::Name => ["name that is not UTF-8", "names that are not UTF-8"],
            Self::EmptyClass => ["class without images", "classes without images"],
            Self::Foreign => ["file of another kind", "files of another kind"],
            Self::Link => ["link in an archive", "links in archives"],
            Self::Sparse => ["sparse member of an archive", "sparse members of archives"],
            Self::MemberType => [
                "member of an archive that is not a file",
                "members of archives that are not files",
            ],
            Self::Alone => ["sample without its other file", "samples without their other file"],
            Self::Dialect => ["dialect sentence", "dialect sentences"],
            Self::Unreadable => ["unreadable sample", "unreadable samples"],
            Self::TooLong => ["sample too long for the model", "samples too long for the model"],
            Self::Forgotten => [
                "sentence older than the model remembers",
                "sentences older than the model remembers",
            ],
            Self::Shorter => ["pair of a smaller bucket", "pairs of smaller buckets"],
            Self::Blank => ["blank line", "blank lines"],
            Self::HalfBlank => {
                ["line that is blank in one language", "lines that are blank in one language"]
            }
            Self::EndsEarly => ["file whose end may be missing", "files whose ends may be missing"],
            Self::Beyond => ["sample beyond the most kept", "samples beyond the most kept"],
        }
    }
}

/// How much of a data set was passed over for one reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PassedOver {
    /// Why.
    pub reason: Reason,
    /// How many files, members, lines or samples.
    pub count: usize,
}

impl fmt::Display for PassedOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [one, several] = self.reason.nouns();
        write!(f, "{} {}", self.count, if self.count == 1 { one } else { several })
    }
}

/// What was taken of a real data set and what was passed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Listed {
    /// Samples to learn from.
    pub train: usize,
    /// Samples held out.
    pub held_out: usize,
    /// The rest, by reason.
    #[serde(default)]
    pub passed_over: Vec<PassedOver>,
}
