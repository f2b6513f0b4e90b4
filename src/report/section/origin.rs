//! By what, when and where figures came about: in front of rows that programs read.

use crate::record::{Clock, Device, Host, Tool};
use crate::report::column::{Column, text};
use crate::report::field::Field;

/// Columns for [`stamped`](crate::report::table::Table::stamped), named as those of a run's rows are.
pub fn origin(
    created: &str,
    tool: &Tool,
    host: &Host,
    device: &Device,
    clock: Clock,
    conditions: &str,
) -> [(Column, Field); 10] {
    [
        ("created", created.into()),
        ("version", tool.version.as_str().into()),
        ("commit", tool.commit().into()),
        ("os", host.os.as_str().into()),
        ("device", device.name.as_str().into()),
        ("device_id", device.id().into()),
        ("backend", device.backend.into()),
        ("driver", device.driver.as_str().into()),
        ("clock", clock.into()),
        ("conditions", conditions.into()),
    ]
    .map(|(name, field): (_, Field)| (text(name).programs(), field))
}
