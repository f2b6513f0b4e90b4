//! What a table's column holds, how it is formatted, and for whom.

use serde_json::Value;

use super::number::{
    byte_rate, bytes, digits, duration_ns, flop_rate, flops, grouped, percent, rounded_ns,
    signed_percent, span, times,
};

/// What figures are of: how people see them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// Words.
    Text,
    /// A whole number.
    Count,
    /// A whole number with its thousands apart.
    Grouped,
    /// Four significant digits.
    Digits,
    /// This many decimals.
    Fixed(usize),
    /// This many decimals, with the sign.
    Signed(usize),
    /// Nanoseconds.
    Duration,
    /// Nanoseconds by a clock that rounds to so many.
    RoundedDuration(u64),
    /// Seconds that somebody waits.
    Wait,
    /// Bytes.
    Bytes,
    /// Bytes a second.
    ByteRate,
    /// Operations.
    Flops,
    /// Operations a second.
    FlopRate,
    /// Of a heading that says G: four digits of a billionth.
    Giga,
    /// A share.
    Percent,
    /// A difference as a share.
    SignedPercent,
    /// How many times as much.
    Times,
    /// A rate of whatever it is, in powers of ten.
    Scientific,
}

impl Quantity {
    /// A figure for people.
    pub(super) fn show(self, value: f64) -> String {
        match self {
            Self::Text | Self::Count => format!("{value}"),
            Self::Grouped => grouped(value as u64),
            Self::Digits => digits(value),
            // Digits in a row that nobody could count.
            Self::Fixed(_) if value.abs() >= 1e9 => format!("{value:.3e}"),
            Self::Fixed(decimals) => format!("{value:.decimals$}"),
            Self::Signed(decimals) => format!("{value:+.decimals$}"),
            Self::Duration => duration_ns(value),
            Self::RoundedDuration(finest) => rounded_ns(value, finest as f64),
            Self::Wait => span(value),
            Self::Bytes => bytes(value),
            Self::ByteRate => byte_rate(value),
            Self::Flops => flops(value),
            Self::FlopRate => flop_rate(value),
            Self::Giga => digits(value / 1e9),
            Self::Percent => percent(value),
            Self::SignedPercent => signed_percent(value),
            Self::Times => times(value),
            Self::Scientific => format!("{value:.4e} /s"),
        }
    }

    /// A figure for programs: what counts is whole.
    pub(super) fn value(self, value: f64) -> Value {
        let counts = matches!(self, Self::Count | Self::Grouped);
        if counts && value.fract() == 0.0 && (0.0..EXACT).contains(&value) {
            return Value::from(value as u64);
        }
        Value::from(value)
    }
}

/// Whole numbers up to this are exact in every reader's floating point.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Who sees a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Readers {
    Everyone,
    /// People only, on a terminal and on the page.
    People,
    /// Programs, and the page, which has room.
    Wide,
    Programs,
    Page,
}

/// How an interval is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Interval {
    /// `149.3 ms ± 0.4 %`.
    HalfWidth,
    /// `0.70 [0.57 .. 0.75]`.
    Ends,
}

/// A column.
#[derive(Debug, Clone)]
pub struct Column {
    /// For people.
    pub(super) title: String,
    /// Least width.
    pub(super) width: usize,
    /// 0: always shown; else the higher, the sooner it goes where a terminal is too narrow.
    pub(super) spare: u8,
    /// For programs.
    name: String,
    quantity: Quantity,
    unit: &'static str,
    readers: Readers,
    interval: Option<Interval>,
    /// Its fields are set to the right: figures are.
    pub(super) is_right: bool,
}

/// A column of words.
pub fn text(title: impl Into<String>) -> Column {
    let title = title.into();
    number(title.clone(), title, Quantity::Text)
}

/// A column of whole numbers.
pub fn count(title: impl Into<String>) -> Column {
    let title = title.into();
    number(title.clone(), title, Quantity::Count)
}

/// A column of figures: its title for people, its name, with the base unit, for programs.
pub fn number(title: impl Into<String>, name: impl Into<String>, quantity: Quantity) -> Column {
    Column {
        title: title.into(),
        width: 0,
        spare: 0,
        name: name.into(),
        quantity,
        unit: "",
        readers: Readers::Everyone,
        interval: None,
        is_right: quantity != Quantity::Text,
    }
}

impl Column {
    /// Another name for programs.
    pub fn named(self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// A unit behind each figure.
    pub fn unit(self, unit: &'static str) -> Self {
        Self { unit, ..self }
    }

    /// At least this wide: where rows are printed as they come, those to come are not known.
    pub fn width(self, width: usize) -> Self {
        Self { width, ..self }
    }

    /// Left out where a terminal is too narrow, before columns of a lower rank.
    pub fn spare(self, rank: u8) -> Self {
        Self { spare: rank, ..self }
    }

    /// For people alone.
    pub fn people(self) -> Self {
        Self { readers: Readers::People, ..self }
    }

    /// For programs alone.
    pub fn programs(self) -> Self {
        Self { readers: Readers::Programs, ..self }
    }

    /// For the page alone.
    pub fn page(self) -> Self {
        Self { readers: Readers::Page, ..self }
    }

    /// For programs and the page: a terminal has no room for it.
    pub fn wide(self) -> Self {
        Self { readers: Readers::Wide, ..self }
    }

    /// Set to the right, as figures are.
    pub fn right(self) -> Self {
        Self { is_right: true, ..self }
    }

    /// Holds intervals, shown by half their width.
    pub fn half_width(self) -> Self {
        Self { interval: Some(Interval::HalfWidth), ..self }
    }

    /// Holds intervals, shown by their ends.
    pub fn ends(self) -> Self {
        Self { interval: Some(Interval::Ends), ..self }
    }

    /// Whether a terminal and Markdown have it.
    pub(super) fn is_printed(&self) -> bool {
        matches!(self.readers, Readers::Everyone | Readers::People)
    }

    /// Whether programs get it.
    pub(super) fn is_read(&self) -> bool {
        matches!(self.readers, Readers::Everyone | Readers::Wide | Readers::Programs)
    }

    /// Whether the page has it.
    pub(super) fn is_on_page(&self) -> bool {
        self.readers != Readers::Programs
    }

    /// What programs call its values: one, or three of an interval, as `step_ns`, `step_low_ns` and
    /// `step_high_ns`.
    pub(super) fn names(&self) -> Vec<String> {
        if self.interval.is_none() {
            return vec![self.name.clone()];
        }
        let (stem, unit) =
            self.name.strip_suffix("_ns").map_or((self.name.as_str(), ""), |stem| (stem, "_ns"));
        vec![self.name.clone(), format!("{stem}_low{unit}"), format!("{stem}_high{unit}")]
    }

    /// A figure for programs.
    pub(super) fn value(&self, value: f64) -> Value {
        self.quantity.value(value)
    }

    /// A figure for people.
    pub(super) fn show(&self, value: f64) -> String {
        let text = self.quantity.show(value);
        if self.unit.is_empty() { text } else { format!("{text} {}", self.unit) }
    }

    /// A figure with its interval for people.
    pub(super) fn show_interval(&self, value: f64, low: f64, high: f64) -> String {
        let figure = self.show(value);
        match self.interval {
            Some(Interval::HalfWidth) if low <= high => {
                format!("{figure} ± {}", percent((high - low) / 2.0 / value))
            }
            Some(Interval::Ends) if low < high => {
                format!("{figure} [{} .. {}]", self.show(low), self.show(high))
            }
            _ => figure,
        }
    }
}
