//! A record's id: the hash of its content, by which a file that was changed after it was written is recognised.
//!
//! It is the SHA-256 of the record's JSON without `id` in the canonical form of RFC 8785 (JCS), so that any program
//! can check it and reformatting a file changes nothing. One exception: whole numbers beyond 2^53 keep every digit.

use serde_json::{Number, Value};
use sha2::{Digest, Sha256};

use crate::terms::hex;

/// What an id begins with that is the hash of the content.
const KIND: &str = "jcs-sha256:";

/// What the ids of older records begin with: a hash of the text that one version wrote, which no file in another
/// form can be held against.
const OLDER_KIND: &str = "sha256:";

/// Whether a record is as fathom wrote it; of several the greatest is the gravest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Integrity {
    /// The id is the hash of the content; or the record was measured in this process.
    #[default]
    Intact,
    /// There is no id, or one of the older kind, which cannot be checked.
    Unproven,
    /// The id is not the hash of the content.
    Edited,
}

impl Integrity {
    /// What the JSON of a record shows.
    pub(super) fn of(record: &Value) -> Self {
        match record["id"].as_str() {
            Some(id) if id.starts_with(KIND) && id == content_id(record) => Self::Intact,
            Some(id) if !id.is_empty() && !id.starts_with(OLDER_KIND) => Self::Edited,
            _ => Self::Unproven,
        }
    }

    /// In one word, a shout where the record was changed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Intact => "intact",
            Self::Edited => "EDITED",
            Self::Unproven => "unproven",
        }
    }

    /// A name that stands for figures of such a record: `llvmpipe (EDITED)` where they cannot be believed.
    pub fn mark(self, name: &str) -> String {
        match self {
            Self::Edited => format!("{name} ({})", self.name()),
            Self::Intact | Self::Unproven => name.into(),
        }
    }

    /// What readers must know; nothing of an intact record.
    pub fn warning(self) -> Option<&'static str> {
        match self {
            Self::Intact => None,
            Self::Edited => Some(
                "EDITED: the content does not match the id, so it was changed after fathom wrote it: \
                 none of its figures can be believed",
            ),
            Self::Unproven => Some(
                "the id is missing or of an older kind that proves nothing: whether the figures are as \
                 measured cannot be checked",
            ),
        }
    }
}

/// The id that a record's JSON must have.
pub(super) fn content_id(record: &Value) -> String {
    let mut text = String::new();
    match record {
        Value::Object(fields) => {
            object(fields.iter().filter(|(name, _)| *name != "id"), &mut text);
        }
        other => canonical(other, &mut text),
    }
    format!("{KIND}{}", hex(&Sha256::digest(text.as_bytes())))
}

/// An id without its kind: what people type the beginning of.
pub fn digits(id: &str) -> &str {
    id.strip_prefix(KIND).or_else(|| id.strip_prefix(OLDER_KIND)).unwrap_or(id)
}

/// The first twelve digits of an id, enough to name a record by.
pub fn short(id: &str) -> &str {
    digits(id).get(..12).unwrap_or(digits(id))
}

/// Appends a value in the form of RFC 8785.
fn canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(fields) => object(fields.iter(), out),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                out.push_str(if i > 0 { "," } else { "" });
                canonical(item, out);
            }
            out.push(']');
        }
        Value::Number(figure) => out.push_str(&number(figure)),
        // The escapes are those that RFC 8785 asks for.
        Value::Null | Value::Bool(_) | Value::String(_) => out.push_str(&value.to_string()),
    }
}

/// Fields in the order of their names' UTF-16, as RFC 8785 sorts them.
fn object<'a>(fields: impl Iterator<Item = (&'a String, &'a Value)>, out: &mut String) {
    let mut fields: Vec<_> = fields.collect();
    fields.sort_by_cached_key(|(name, _)| name.encode_utf16().collect::<Vec<_>>());
    out.push('{');
    for (i, (name, value)) in fields.into_iter().enumerate() {
        out.push_str(if i > 0 { "," } else { "" });
        out.push_str(&Value::from(name.as_str()).to_string());
        out.push(':');
        canonical(value, out);
    }
    out.push('}');
}

/// The shortest digits that read back as the same figure, laid out as ECMAScript does (Number::toString). The digits
/// are those of serde_json: of two as near it takes the even one, as ECMAScript does and Rust's own `Display` does not.
fn number(figure: &Number) -> String {
    if !figure.is_f64() {
        return figure.to_string();
    }
    let text = figure.to_string();
    let (sign, text) = text.strip_prefix('-').map_or(("", &*text), |rest| ("-", rest));
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let written = format!("{whole}{fraction}");
    let digits = written.trim_start_matches('0').trim_end_matches('0');
    if digits.is_empty() {
        return "0".into();
    }
    // Where the point stands, counted from the first digit that is not 0.
    let leading = written.len() - written.trim_start_matches('0').len();
    let point = whole.len() as i32 - leading as i32 + exponent.parse::<i32>().unwrap_or(0);
    let count = digits.len() as i32;
    let laid_out = match point {
        _ if count <= point && point <= 21 => {
            digits.to_string() + &"0".repeat((point - count) as usize)
        }
        1..=21 => format!("{}.{}", &digits[..point as usize], &digits[point as usize..]),
        -5..=0 => format!("0.{}{digits}", "0".repeat(-point as usize)),
        _ => {
            let (first, rest) = digits.split_at(1);
            let dot = if rest.is_empty() { "" } else { "." };
            format!("{first}{dot}{rest}e{:+}", point - 1)
        }
    };
    format!("{sign}{laid_out}")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::record::{Record, example};
    use crate::terms::Mode;

    fn form(json: &str) -> String {
        let mut text = String::new();
        canonical(&serde_json::from_str(json).unwrap(), &mut text);
        text
    }

    #[test]
    fn the_canonical_form_is_that_of_rfc_8785() {
        // The RFC's own example (section 3.2.2), and its order of names (3.2.3).
        let example = r#"{"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
            "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/", "literals": [null, true, false]}"#;
        let expected = concat!(
            r#"{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"#,
            r#""string":"€$\u000f\nA'B\"\\\\\"/"}"#
        );
        assert_eq!(form(example), expected);
        assert_eq!(
            form(r#"{"\ufb33":1,"\ud83d\ude00":2,"1":3}"#),
            "{\"1\":3,\"😀\":2,\"\u{fb33}\":1}"
        );
        assert_eq!(
            form("[1000.0, 1000, -0.0, 1e21, 9007199254740993]"),
            "[1000,1000,0,1e+21,9007199254740993]"
        );
        // Two decimals of 16 digits are as near to the first: the even one is taken.
        assert_eq!(
            form("[95.976837158203125, 1e-6, 1.5e-7, -0.00123, 123456789012345680000.0, 5e-324]"),
            "[95.97683715820312,0.000001,1.5e-7,-0.00123,123456789012345680000,5e-324]"
        );
    }

    fn sealed() -> String {
        let run =
            example::run("speech", Mode::Train, &[10.0 / 3.0, 1e7 + 0.1, 2.5e-7, 3.0, 4.0, 5.0]);
        example::record(&[run]).to_json().unwrap()
    }

    fn integrity(text: &str) -> Integrity {
        Record::parse(text, Path::new("r.json")).unwrap().integrity
    }

    #[test]
    fn a_record_edited_in_any_way_is_known_and_a_reformatted_one_is_not_blamed() {
        let text = sealed();
        assert_eq!(integrity(&text), Integrity::Intact);
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(integrity(&value.to_string()), Integrity::Intact, "compact");
        // As JavaScript writes whole numbers.
        assert_eq!(integrity(&text.replace("1000000.0", "1000000")), Integrity::Intact);
        let edits: [fn(&mut Value); 10] = [
            |r| r["runs"][0]["timing"]["step_ns"][1] = 10_000_000.2.into(),
            |r| r["runs"][0]["timing"]["step"]["median_ns"] = 1.0.into(),
            |r| r["runs"][0]["verified"]["passed"] = 2.into(),
            |r| r["runs"][0]["validity"] = serde_json::json!(["ok", "ok"]),
            |r| r["device"]["name"] = "A faster one".into(),
            |r| r["device"]["driver"] = "2.0".into(),
            |r| r["created"] = "2026-11-02T10:00:00Z".into(),
            |r| r["notes"] = serde_json::json!([]),
            |r| r["peaks"]["launch_ns"] = 1000.1.into(),
            |r| r["unknown"] = Value::Null,
        ];
        for (i, edit) in edits.iter().enumerate() {
            let mut edited = value.clone();
            edit(&mut edited);
            assert_eq!(integrity(&edited.to_string()), Integrity::Edited, "edit {i}");
        }
    }

    #[test]
    fn an_id_of_the_older_kind_or_none_proves_nothing() {
        let mut value: Value = serde_json::from_str(&sealed()).unwrap();
        for id in [format!("sha256:{}", "0".repeat(64)), String::new()] {
            value["id"] = id.into();
            assert_eq!(integrity(&value.to_string()), Integrity::Unproven);
        }
        value.as_object_mut().unwrap().remove("id");
        assert_eq!(integrity(&value.to_string()), Integrity::Unproven);
        value["id"] = "anything".into();
        assert_eq!(integrity(&value.to_string()), Integrity::Edited);
    }

    #[test]
    fn what_was_edited_is_not_given_a_good_id_by_being_written_again() {
        let edited = sealed().replace("Made-up GPU", "Another");
        let record = Record::parse(&edited, Path::new("r.json")).unwrap();
        assert_eq!(integrity(&record.to_json().unwrap()), Integrity::Edited);
    }

    #[test]
    fn figures_survive_being_written_and_read_to_the_last_bit() {
        let figures: Vec<f64> = (1..2000).map(|i| f64::from(i) * 12_345.678_9 / 7.0).collect();
        let record = example::record(&[example::run("speech", Mode::Train, &figures)]);
        let text = record.to_json().unwrap();
        let back = Record::parse(&text, Path::new("r.json")).unwrap();
        assert_eq!(back.runs, record.runs);
        assert_eq!(back.to_json().unwrap(), text);
    }
}
