//! The one table: typed columns and fields, in every format in which figures are printed or saved.
//!
//! People get figures with four digits and a unit, programs the same figures in base units.

use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::host::terminal_width;
use crate::terms::each_once;

use super::Format;
use super::column::Column;
use super::field::Field;

mod layout;

use layout::{Strip, fold, wrap};

/// Rows under typed columns.
#[derive(Debug, Clone, Default)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Field>>,
    /// What each row begins with.
    stamp: Vec<Field>,
}

/// A column with what it shows of an `R`, for tables whose columns are many: see [`columns!`](crate::columns).
pub type ColumnOf<R> = (Column, fn(&R) -> Field);

/// Columns, each with what it shows of a row.
#[macro_export]
macro_rules! columns {
    ($row:ident: $($column:expr => $field:expr),* $(,)?) => {
        [$(($column, |$row| $crate::report::field::Field::from($field))),*]
    };
}

/// A table as a page shows it.
#[derive(Debug)]
pub(super) struct Grid {
    pub(super) columns: Vec<Heading>,
    pub(super) rows: Vec<Vec<Shown>>,
}

/// A column of it.
#[derive(Debug)]
pub(super) struct Heading {
    pub(super) title: String,
    pub(super) number: bool,
}

/// A field of it.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) text: String,
    /// What it is sorted by, where that is not its text.
    pub(super) sort: Option<f64>,
}

/// Text for people: within the width of a terminal, elsewhere in one line.
pub fn paragraph(text: &str) -> String {
    let lines = terminal_width().map_or_else(|| vec![text.to_string()], |room| wrap(text, room));
    lines.join("\n") + "\n"
}

/// The same in a form: in Markdown a line is as long as it is.
pub(super) fn sentence(text: &str, format: Format) -> String {
    if format == Format::Md { format!("{text}\n") } else { paragraph(text) }
}

/// Prose within the width of a terminal; as it is where there is none.
pub fn prose(text: &str, room: Option<usize>) -> String {
    room.map_or_else(|| text.to_string(), |room| fold(text, room).join("\n"))
}

/// Tables of several keys as one of CSV: each row begins with its table's key, and what that has no column for is empty.
///
/// # Errors
/// As [`Table::render`].
pub(super) fn joined(tables: &[(&str, &Table)]) -> Result<String> {
    let columns = tables.iter().flat_map(|(_, table)| table.names());
    let names = each_once(std::iter::once("table".to_string()).chain(columns));
    let rows = tables.iter().flat_map(|(key, table)| {
        table.objects().into_iter().map(|mut row| {
            row["table"] = Value::from(*key);
            names.iter().map(|name| row[name].take()).collect()
        })
    });
    csv_text(Some(&names), rows)
}

/// Rows of CSV below their head, if there is to be one.
fn csv_text(head: Option<&Vec<String>>, rows: impl Iterator<Item = Vec<Value>>) -> Result<String> {
    let fault = |e: &dyn std::fmt::Display| Error::Internal(format!("a table as CSV: {e}"));
    let mut writer = csv::Writer::from_writer(Vec::new());
    if let Some(names) = head {
        writer.write_record(names).map_err(|e| fault(&e))?;
    }
    for row in rows {
        let texts = row.into_iter().map(|value| match value {
            Value::Null => String::new(),
            Value::String(text) => text,
            other => other.to_string(),
        });
        writer.write_record(texts).map_err(|e| fault(&e))?;
    }
    let bytes = writer.into_inner().map_err(|e| fault(&e))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

impl Table {
    /// No rows yet.
    pub fn new(columns: impl IntoIterator<Item = Column>) -> Self {
        Self { columns: columns.into_iter().collect(), ..Self::default() }
    }

    /// A row for each of some things.
    pub fn of<R, const N: usize>(
        columns: [ColumnOf<R>; N],
        rows: impl IntoIterator<Item = R>,
    ) -> Self {
        let (columns, fields): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
        let shown = |row: R| fields.iter().map(|field| field(&row)).collect::<Vec<_>>();
        Self { columns, rows: rows.into_iter().map(shown).collect(), stamp: Vec::new() }
    }

    /// With columns in front that are the same in every row, in those there are and in those to come.
    pub fn stamped(mut self, stamp: impl IntoIterator<Item = (Column, Field)>) -> Self {
        let (columns, fields): (Vec<_>, Vec<_>) = stamp.into_iter().unzip();
        self.columns.splice(0..0, columns);
        for row in &mut self.rows {
            row.splice(0..0, fields.iter().cloned());
        }
        self.stamp.splice(0..0, fields);
        self
    }

    /// Without a column, by what people call it.
    pub fn without(mut self, title: &str) -> Self {
        if let Some(at) = self.columns.iter().position(|column| column.title == title) {
            self.columns.remove(at);
            self.rows.iter_mut().for_each(|row| drop(row.remove(at)));
        }
        self
    }

    /// Adds a row, a field for each column.
    pub fn row(&mut self, fields: impl IntoIterator<Item = Field>) {
        self.rows.push(self.stamp.iter().cloned().chain(fields).collect());
    }

    /// The text in a form.
    ///
    /// # Errors
    /// [`Error::Internal`] where a row cannot be written, which does not happen in memory.
    pub fn render(&self, format: Format) -> Result<String> {
        match format {
            Format::Table | Format::Md => Ok(self.drawn(format)),
            Format::Csv => self.csv(true),
            Format::Json => Ok(format!("{:#}\n", Value::Array(self.objects()))),
            Format::Jsonl => Ok(self.objects().iter().map(|o| format!("{o}\n")).collect()),
        }
    }

    /// For people: within the width of a terminal, elsewhere as wide as its rows.
    pub(super) fn drawn(&self, format: Format) -> String {
        match format {
            Format::Md => layout::markdown(&self.strips()),
            _ => self.fitted(terminal_width()),
        }
    }

    /// Whether it can be as narrow as that.
    pub(super) fn fits(&self, room: Option<usize>) -> bool {
        let strips = self.strips();
        room.is_none_or(|most| layout::total(&layout::widths(&strips, room)) <= most)
    }

    /// The same in `room` characters.
    pub(super) fn fitted(&self, room: Option<usize>) -> String {
        let strips = self.strips();
        let widths = layout::widths(&strips, room);
        let mut text = layout::head(&strips, &widths);
        for at in 0..self.rows.len() {
            let cells = strips.iter().filter_map(|s| Some((s, s.cells.get(at)?.as_str())));
            text += &layout::row(cells, &widths);
        }
        let hidden = strips.iter().zip(&widths).filter(|(_, width)| width.is_none());
        let hidden: Vec<_> = hidden.map(|(strip, _)| strip.title.as_str()).collect();
        if !hidden.is_empty() {
            let note = format!("(no room for: {}; -o md shows every column)", hidden.join(", "));
            text += &(wrap(&note, room.unwrap_or(usize::MAX)).join("\n") + "\n");
        }
        text
    }

    /// Its columns alone.
    fn empty(&self) -> Self {
        Self { columns: self.columns.clone(), ..Self::default() }
    }

    /// What people are shown, column by column.
    fn strips(&self) -> Vec<Strip> {
        let strip = |(at, column): (usize, &Column)| Strip {
            title: column.title.clone(),
            cells: self.rows.iter().filter_map(|row| Some(row.get(at)?.shown(column))).collect(),
            is_right: column.is_right,
            spare: column.spare,
            least: column.width,
        };
        self.places(Column::is_printed).map(strip).collect()
    }

    /// What stands above rows that are printed as they come; nothing in JSON.
    ///
    /// # Errors
    /// As [`Table::render`].
    pub fn head(&self, format: Format) -> Result<String> {
        let (empty, strips) = (self.empty(), self.empty().strips());
        Ok(match format {
            Format::Table => layout::head(&strips, &layout::widths(&strips, terminal_width())),
            Format::Md => layout::markdown_head(&strips, &layout::head_widths(&strips)),
            Format::Csv => empty.csv(true)?,
            Format::Json | Format::Jsonl => String::new(),
        })
    }

    /// The last row under [`Table::head`]; nothing without rows, and in JSON, which is one whole.
    ///
    /// # Errors
    /// As [`Table::render`].
    pub fn last(&self, format: Format) -> Result<String> {
        let Some(row) = self.rows.last() else {
            return Ok(String::new());
        };
        let last = Self { rows: vec![row.clone()], ..self.empty() };
        let strips = last.strips();
        Ok(match format {
            Format::Table => {
                let widths = layout::widths(&self.empty().strips(), terminal_width());
                layout::row(strips.iter().map(|s| (s, s.cells[0].as_str())), &widths)
            }
            Format::Md => layout::markdown_last(&strips),
            Format::Csv => last.csv(false)?,
            Format::Jsonl => last.render(format)?,
            Format::Json => String::new(),
        })
    }

    /// With or without its head, so that rows can come one by one.
    fn csv(&self, head: bool) -> Result<String> {
        let names = self.names();
        let rows = self.rows.iter().map(|row| self.values(row).map(|(_, value)| value).collect());
        csv_text(head.then_some(&names), rows)
    }

    /// What programs call its columns.
    fn names(&self) -> Vec<String> {
        self.places(Column::is_read).flat_map(|(_, column)| column.names()).collect()
    }

    /// An object a row.
    pub(super) fn objects(&self) -> Vec<Value> {
        let object = |row: &Vec<Field>| Value::Object(self.values(row).collect::<Map<_, _>>());
        self.rows.iter().map(object).collect()
    }

    /// For the page.
    pub(super) fn grid(&self) -> Grid {
        let columns: Vec<_> = self.places(Column::is_on_page).collect();
        let heading = |(_, column): &(usize, &Column)| Heading {
            title: column.title.clone(),
            number: column.is_right,
        };
        let row = |row: &Vec<Field>| {
            let fields = columns.iter().filter_map(|(i, column)| Some((column, row.get(*i)?)));
            let shown = fields
                .map(|(column, field)| Shown { text: field.shown(column), sort: field.figure() });
            shown.collect()
        };
        Grid {
            columns: columns.iter().map(heading).collect(),
            rows: self.rows.iter().map(row).collect(),
        }
    }

    /// The columns for some readers with their places in a row.
    fn places(&self, is_for: fn(&Column) -> bool) -> impl Iterator<Item = (usize, &Column)> {
        self.columns.iter().enumerate().filter(move |(_, column)| is_for(column))
    }

    /// A row's figures for programs, each with its name.
    fn values<'a>(&'a self, row: &'a [Field]) -> impl Iterator<Item = (String, Value)> + 'a {
        let fields = self.places(Column::is_read).filter_map(|(i, c)| Some((c, row.get(i)?)));
        fields.flat_map(|(column, field)| column.names().into_iter().zip(field.values(column)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields;
    use crate::report::column::Quantity::{Digits, Duration, Fixed, Grouped};
    use crate::report::column::{count, number, text};

    #[test]
    fn every_form_holds_every_field() {
        let mut table = Table::new([text("name"), count("size")]);
        table.row(fields!["a,b", 7_u64]);
        for format in Format::ALL {
            let text = table.render(format).unwrap();
            assert!(text.contains("a,b") && text.contains('7') && text.contains("size"), "{text}");
        }
        assert_eq!(table.render(Format::Csv).unwrap(), "name,size\n\"a,b\",7\n");
    }

    #[test]
    fn programs_get_base_units_and_people_get_theirs() {
        let mut table = Table::new([text("name"), number("step", "step_ns", Duration)]);
        table.row(fields!["a", 1500.0]);
        table.row(fields!["b", f64::NAN]);
        table.row(fields!["c", None::<f64>]);
        assert_eq!(table.render(Format::Csv).unwrap(), "name,step_ns\na,1500.0\nb,\nc,\n");
        let lines = table.render(Format::Jsonl).unwrap();
        assert!(lines.starts_with("{\"name\":\"a\",\"step_ns\":1500.0}"), "{lines}");
        let shown = table.render(Format::Table).unwrap();
        assert!(shown.contains("1.500 µs") && !shown.contains("step_ns"), "{shown}");
        assert!(!shown.contains("NaN"), "{shown}");
    }

    #[test]
    fn programs_get_numbers_as_numbers_and_what_counts_whole() {
        let mut table = Table::new([
            text("fused"),
            count("batch"),
            number("parameters", "parameters", Grouped),
            number("step", "step_ns", Duration),
        ]);
        table.row(fields![true, 4.0, 34_633_792_u64, 4.0]);
        table.row(fields![false, 4.5, 34_633_792.0, f64::NAN]);
        let lines = table.render(Format::Jsonl).unwrap();
        for (line, fields) in lines.lines().zip([
            ["\"fused\":true", "\"batch\":4", "\"parameters\":34633792", "\"step_ns\":4.0"],
            ["\"fused\":false", "\"batch\":4.5", "\"parameters\":34633792", "\"step_ns\":null"],
        ]) {
            for field in fields {
                assert!(line.split(['{', ',', '}']).any(|part| part == field), "{field} in {line}");
            }
        }
        assert!(table.render(Format::Table).unwrap().contains("34,633,792"));
    }

    #[test]
    fn each_reader_gets_the_columns_meant_for_it() {
        let mut table = Table::new([
            text("device").programs(),
            text("host").wide(),
            count("ops"),
            text("note").people(),
        ]);
        table.row(fields!["gpu", "box", 7_u64, "fine"]);
        let shown = table.render(Format::Table).unwrap();
        for (word, expected) in [("gpu", false), ("box", false), ("ops", true), ("fine", true)] {
            assert_eq!(shown.contains(word), expected, "{shown}");
        }
        assert_eq!(table.render(Format::Csv).unwrap(), "device,host,ops\ngpu,box,7\n");
        let grid = table.grid();
        let titles: Vec<_> = grid.columns.iter().map(|c| c.title.as_str()).collect();
        assert_eq!(titles, ["host", "ops", "note"]);
        assert_eq!((grid.rows[0][1].text.as_str(), grid.rows[0][1].sort), ("7", Some(7.0)));
    }

    #[test]
    fn an_interval_is_one_column_for_people_and_three_for_programs() {
        let mut table = Table::new([
            number("step", "step_ns", Duration).half_width(),
            number("ratio", "ratio", Digits).ends(),
        ]);
        let interval = |value, low, high| Field::Interval { value, low, high };
        table.row([interval(100.0, 99.0, 101.0), interval(2.0, 1.5, 3.0)]);
        table.row([Field::Missing, interval(1.0, 1.0, 1.0)]);
        let unknown = f64::NAN;
        table.row([interval(unknown, unknown, unknown), Field::Figure(unknown, Duration)]);
        let shown = table.render(Format::Table).unwrap();
        for expected in ["100.0 ns ± 1.0 %", "2.000 [1.500 .. 3.000]", "-", "1.000\n"] {
            assert!(shown.contains(expected), "{shown}");
        }
        assert!(!shown.contains("NaN"), "{shown}");
        table.rows.pop();
        let csv = table.render(Format::Csv).unwrap();
        let head = "step_ns,step_low_ns,step_high_ns,ratio,ratio_low,ratio_high\n";
        assert_eq!(csv, format!("{head}100.0,99.0,101.0,2.0,1.5,3.0\n,,,1.0,1.0,1.0\n"));
    }

    #[test]
    fn rows_that_come_one_by_one_stand_under_their_headings_in_every_form() {
        let mut table = Table::new([
            count("step").width(8),
            number("accuracy", "metric", Fixed(2)).unit("%").width(10),
        ]);
        let forms = [Format::Table, Format::Md, Format::Csv, Format::Json, Format::Jsonl];
        let heads = forms.map(|form| table.head(form).unwrap());
        table.row(fields![10_u64, 50.0]);
        table.row(fields![20_u64, 12.345]);
        let lasts = forms.map(|form| table.last(form).unwrap());
        let md_head = "|     step |   accuracy |\n| -------: | ---------: |\n";
        assert_eq!(heads, ["    step    accuracy\n", md_head, "step,metric\n", "", ""]);
        let jsonl = "{\"metric\":12.345,\"step\":20}\n";
        let md = "|       20 |    12.35 % |\n";
        assert_eq!(lasts, ["      20     12.35 %\n", md, "20,12.345\n", "", jsonl]);
    }

    #[test]
    fn a_table_fits_80_columns_and_says_what_it_left_out() {
        let columns = ["one", "two", "three", "four", "five"]
            .map(|title| number(title, title, Duration).width(16).spare(u8::from(title == "four")));
        let mut table = Table::new(columns);
        table.row([1.0, 2.0, 3.0, 4.0, 5.0].map(Field::from));
        let text = table.fitted(Some(80));
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert!(text.contains("(no room for: four;") && !text.contains("4.000 ns"), "{text}");
        let whole = table.fitted(None);
        assert!(whole.contains("4.000 ns") && !whole.contains("no room"), "{whole}");
        assert!(table.drawn(Format::Md).contains("4.000 ns"));
    }
}
