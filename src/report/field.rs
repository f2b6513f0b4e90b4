//! The content of one cell of a table.

use serde_json::Value;

use crate::analysis::profile::Bound;
use crate::analysis::similarity::Linkage;
use crate::analysis::stationarity;
use crate::compare::agreement::Agreement;
use crate::compare::verdict::Verdict;
use crate::error::plain;
use crate::record::{Clock, Integrity, Status};
use crate::terms::{Backend, Class, DeviceKind, Mode, Phase, Precision, Preset};

use super::column::{Column, Quantity};

/// A word, a figure in its base unit, or nothing.
#[derive(Debug, Clone, PartialEq)]
pub enum Field {
    /// Nothing: a dash for people, a null for programs. So is a figure that is not a number.
    Missing,
    /// Words.
    Text(String),
    /// Yes or no.
    Flag(bool),
    /// A whole number.
    Count(u64),
    /// A figure.
    Number(f64),
    /// A figure of another quantity than its column's: rows may be of different things.
    Figure(f64, Quantity),
    /// A figure with an interval around it.
    Interval {
        /// The figure.
        value: f64,
        /// Lower end.
        low: f64,
        /// Upper end.
        high: f64,
    },
}

/// A row's fields, each from what it shows: words, numbers, or an `Option` of one.
#[macro_export]
macro_rules! fields {
    ($($field:expr),* $(,)?) => { [$($crate::report::field::Field::from($field)),*] };
}

impl Field {
    /// A figure with the ends of its interval.
    pub fn interval(value: f64, (low, high): (f64, f64)) -> Self {
        Self::Interval { value, low, high }
    }

    /// For people.
    pub(super) fn shown(&self, column: &Column) -> String {
        match (self, self.figure()) {
            (Self::Text(text), _) => plain(text),
            (Self::Flag(holds), _) => if *holds { "yes" } else { "no" }.into(),
            (_, None) => "-".into(),
            (Self::Interval { low, high, .. }, Some(value)) => {
                column.show_interval(value, *low, *high)
            }
            (Self::Figure(_, quantity), Some(value)) => quantity.show(value),
            (_, Some(value)) => column.show(value),
        }
    }

    /// For programs: as many values as the column has names.
    pub(super) fn values(&self, column: &Column) -> Vec<Value> {
        match self {
            Self::Missing => vec![Value::Null; column.names().len()],
            Self::Text(text) => vec![Value::from(text.as_str())],
            Self::Count(count) => vec![Value::from(*count)],
            Self::Flag(holds) => vec![Value::from(*holds)],
            Self::Number(value) => vec![column.value(*value)],
            Self::Figure(value, quantity) => vec![quantity.value(*value)],
            Self::Interval { value, low, high } => [*value, *low, *high].map(Value::from).into(),
        }
    }

    /// The figure, if it is one.
    pub(super) fn figure(&self) -> Option<f64> {
        match self {
            Self::Missing | Self::Text(_) | Self::Flag(_) => None,
            Self::Count(count) => Some(*count as f64),
            Self::Number(value) | Self::Figure(value, _) | Self::Interval { value, .. } => {
                value.is_finite().then_some(*value)
            }
        }
    }
}

impl From<&str> for Field {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

/// The words that records and the engine share.
macro_rules! from_words {
    ($($words:ty),*) => {$(
        impl From<$words> for Field {
            fn from(word: $words) -> Self {
                Self::from(word.name())
            }
        }
    )*};
}

from_words!(Agreement, Backend, Bound, Class, Clock, DeviceKind, Integrity, Linkage, Mode, Phase);
from_words!(Precision, Preset, Status, Verdict, stationarity::Verdict);

impl From<String> for Field {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&String> for Field {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl From<char> for Field {
    fn from(letter: char) -> Self {
        Self::Text(letter.into())
    }
}

impl From<bool> for Field {
    fn from(holds: bool) -> Self {
        Self::Flag(holds)
    }
}

impl From<u64> for Field {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

impl From<u32> for Field {
    fn from(count: u32) -> Self {
        Self::Count(count.into())
    }
}

impl From<usize> for Field {
    fn from(count: usize) -> Self {
        Self::Count(count as u64)
    }
}

impl From<f64> for Field {
    fn from(value: f64) -> Self {
        Self::Number(value)
    }
}

impl<T: Into<Field>> From<Option<T>> for Field {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Missing, Into::into)
    }
}
