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
    let page = page(&[source]).unwrap();
    // What a name holds is text, in the page as in the embedded record.
    assert!(!page.contains("<b>made up"), "a name became an element");
    assert_eq!(page.matches("</script>").count(), 2);
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
    assert_eq!(
        embedded.replace("\\u003c", "<"),
        text,
        "what is handed out is the file, byte for byte"
    );
}

#[test]
fn an_edited_record_is_called_that_before_any_figure() {
    let mut record = synthetic::record(&[("speech", Mode::Train, &[("matmul", 5.0)])]);
    let intact = page(&[named("a.json", &record)]).unwrap();
    assert!(!intact.contains("class=\"warning\""));
    record.integrity = Integrity::Edited;
    let edited = page(&[named("a.json", &record)]).unwrap();
    let warning = edited.find("a.json: EDITED").unwrap();
    assert!(warning < edited.find("<table").unwrap());
}

fn named(name: &str, record: &Record) -> NamedRecord {
    NamedRecord { name: name.into(), text: record.to_json().unwrap(), record: record.clone() }
}

#[test]
fn every_picture_says_what_it_shows() {
    let record = synthetic::record(&[("speech", Mode::Train, &[("matmul", 5.0)])]);
    let page = page(&[named("a.json", &record)]).unwrap();
    let pictures = page.matches("<svg").count();
    let described = page.matches("role=\"img\" aria-label=\"").count()
        + page.matches("aria-hidden=\"true\"").count();
    assert_eq!(pictures, described);
    assert!(!page.contains("NaN") && !page.contains("inf\""), "a place that is none");
}
