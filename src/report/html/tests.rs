use crate::analysis::synthetic;
use crate::record::Integrity;
use crate::terms::Mode;

use super::*;

#[test]
fn a_page_stands_alone_and_holds_its_records() {
    let mut record = synthetic::record(&[
        ("speech", Mode::Train, &[("matmul", 5.0), ("add", 2.0)]),
        ("speech", Mode::Infer, &[("matmul", 3.0)]),
        ("vgg", Mode::Train, &[("conv2d", 7.0), ("sum", 1.0)]),
    ]);
    record.device.name = "</script><b>made up</b>".into();
    // As it lies on the disk, whatever this version would write.
    let text = serde_json::to_string(&record).unwrap() + "\r\n \n";
    let source = NamedRecord { name: "a \"b\".json".into(), text: text.clone(), record };
    let page = page(&[source], None).unwrap();
    // What a name holds is text, in the page as in the embedded record.
    assert!(!page.contains("<b>made up"), "a name became an element");
    let details = page.matches("class=\"packed\"").count();
    assert_eq!(page.matches("</script>").count(), 2 + details);
    for outside in ["http://", "https://", "src=", "@import"] {
        assert!(!page.contains(outside), "the page asks for {outside}");
    }
    for part in ["id=\"summary\"", "id=\"modes\"", "id=\"profile\"", "id=\"similarity\"", "conv2d"]
    {
        assert!(page.contains(part), "no {part}");
    }
    assert!(!page.contains("id=\"scaling\""), "nothing was varied");
    let embedded = page.split("id=\"record-0\">").nth(1).unwrap();
    let embedded = embedded.split("</script>").next().unwrap();
    assert_eq!(packed::unpacked(embedded), text, "what is handed out is the file, byte for byte");
}

#[test]
fn an_edited_record_is_called_that_before_any_figure() {
    let mut record = synthetic::record(&[("speech", Mode::Train, &[("matmul", 5.0)])]);
    let intact = page(&[named("a.json", &record)], None).unwrap();
    assert!(!intact.contains("class=\"warning\""));
    record.integrity = Integrity::Edited;
    let edited = page(&[named("a.json", &record)], None).unwrap();
    let warning = edited.find("a.json: EDITED").unwrap();
    assert!(warning < edited.find("<table").unwrap());
    let device = format!("{} (EDITED)", record.device.name);
    for marked in [format!("<h3>{device}</h3>"), format!("<h1>Fathom</h1><p>How fast {device}")] {
        assert!(edited.contains(&marked), "no {marked}");
    }
}

#[test]
fn what_an_edited_record_tells_of_a_device_stands_beside_it_under_its_own_name() {
    let sound = synthetic::record(&[("speech", Mode::Train, &[("matmul", 5.0)])]);
    let edited = Record { integrity: Integrity::Edited, ..sound.clone() };
    let page = page(&[named("a.json", &sound), named("b.json", &edited)], None).unwrap();
    assert!(page.contains("1 of 2 runs are verified"), "the edited one is counted");
    assert!(page.contains("1 of 2 runs are of an EDITED record"));
    let device = &sound.device.name;
    for expected in [
        format!("<h3>{device}</h3>"),
        format!("<h3>{device} (EDITED)</h3>"),
        format!(">{device} (EDITED)</text>"),
        format!(">{device} (EDITED)</button>"),
        format!("<td>{device} (EDITED)</td>"),
        "<td class=\"number\">EDITED</td>".into(),
    ] {
        assert!(page.contains(&expected), "no {expected}");
    }
}

#[test]
fn what_acts_on_a_reader_is_taken_out_of_names() {
    let mut record = synthetic::record(&[("speech", Mode::Train, &[("matmul", 5.0)])]);
    record.device.name = "a\u{1b}[31m \u{202e}device".into();
    let page = page(&[named("a\u{7}.json", &record)], None).unwrap();
    let acts = |c: &char| (c.is_control() && *c != '\n') || *c == '\u{202e}';
    assert_eq!(page.chars().find(acts), None);
    assert!(page.contains("a\u{fffd}[31m \u{fffd}device"));
}

fn named(name: &str, record: &Record) -> NamedRecord {
    NamedRecord { name: name.into(), text: record.to_json().unwrap(), record: record.clone() }
}

#[test]
fn every_picture_says_what_it_shows() {
    let record = synthetic::record(&[("speech", Mode::Train, &[("matmul", 5.0)])]);
    let page = page(&[named("a.json", &record)], None).unwrap();
    let pictures = page.matches("<svg").count();
    let described = page.matches("role=\"img\" aria-label=\"").count()
        + page.matches("aria-hidden=\"true\"").count();
    assert_eq!(pictures, described);
    assert!(!page.contains("NaN") && !page.contains("inf\""), "a place that is none");
}
