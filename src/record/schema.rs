//! The published JSON schema of a record: what the types say, and what they cannot: names, dates, positive times.

use schemars::Schema;
use serde_json::{Map, Value, json};

use super::{Record, SCHEMA};

/// Where the schema is published, which is its name as well.
const PLACE: &str =
    "https://raw.githubusercontent.com/fathom-bench/fathom/main/assets/record.schema.json";

/// Times of whole steps: none is 0.
const STEPS: &[&str] = &["step_ns", "wall_ns", "wall_median_ns", "median_ns", "min_ns", "ci95_ns"];

/// An op's times, which their keys do not call that.
const OPS: &[&str] = &["median", "p05", "p95", "samples"];

/// Differences of times: rounding can leave them a hair below 0.
const DIFFERENCES: &[&str] = &["gaps_ns"];

/// The schema of what [`Record::to_json`] writes. What older versions wrote fits it too.
pub fn schema() -> Schema {
    let mut schema = schemars::schema_for!(Record);
    let root = schema.ensure_object();
    root.insert("$id".into(), PLACE.into());
    bound_objects(root);
    let facts = [
        ("schema", "const", json!(SCHEMA)),
        // Records with the older kind of id, or none, can be read.
        ("id", "pattern", json!("^((jcs-)?sha256:[0-9a-f]{64})?$")),
        ("created", "format", json!("date-time")),
    ];
    for (field, keyword, value) in facts {
        if let Some(field) = root.get_mut("properties").and_then(|fields| fields.get_mut(field)) {
            field[keyword] = value;
        }
    }
    schema
}

/// Bounds the times of an object's schema and of those inside.
fn bound_objects(schema: &mut Map<String, Value>) {
    for (keyword, value) in schema {
        let Some(inner) = value.as_object_mut() else { continue };
        if keyword == "properties" {
            inner.iter_mut().for_each(|(name, field)| bound(name, field));
        }
        bound_objects(inner);
    }
}

/// Bounds a field if it is a time: itself, or each item of a list.
fn bound(name: &str, field: &mut Value) {
    let is_time = (name.ends_with("_ns") || OPS.contains(&name)) && !DIFFERENCES.contains(&name);
    if !is_time {
        return;
    }
    let bound = if STEPS.contains(&name) { "exclusiveMinimum" } else { "minimum" };
    let is_number = field["type"] == "number"
        || field["type"].as_array().is_some_and(|types| types.contains(&json!("number")));
    if is_number {
        field[bound] = 0.into();
    }
    if let Some(item) = field.get_mut("items").filter(|item| item.is_object()) {
        item[bound] = 0.into();
    }
    if let Some(items) = field.get_mut("prefixItems").and_then(Value::as_array_mut) {
        items.iter_mut().for_each(|item| item[bound] = 0.into());
    }
}
