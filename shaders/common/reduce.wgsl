// Sums and maxima over the invocations that share a row: `lanes` neighbours (a power of two) of a workgroup of at
// most 256. Every invocation of the workgroup calls together, and each gets its own row's result. Up to 16 lanes
// first fold every 16th value, then all fold what these have: two barriers instead of a tree's eight, and the order
// is fixed, so that the same values always give the same bits. Calls may follow each other at once: each array's
// readers are a barrier away from its next writers. The arrays are no longer than the workgroup: browsers clear them
// in each. Shared: 8 WORKGROUP bytes.

const WORKGROUP: u32 = 256u; // invocations
const LOWEST: f32 = -3.4028234e38; // below every finite value: where a maximum starts

var<workgroup> lane_values: array<f32, WORKGROUP>;
var<workgroup> lane_parts: array<f32, WORKGROUP>;

fn sum_over_lanes(value: f32, lid: u32, lanes: u32) -> f32 {
    if lanes == 1u { return value; }
    let parts = min(lanes, 16u);
    let first = lid - lid % lanes;
    lane_values[lid] = value;
    workgroupBarrier();
    if lid - first < parts {
        var part = 0.0;
        for (var k = 0u; k < lanes; k += parts) { part += lane_values[lid + k]; }
        lane_parts[lid] = part;
    }
    workgroupBarrier();
    var sum = 0.0;
    for (var k = 0u; k < parts; k++) { sum += lane_parts[first + k]; }
    return sum;
}

fn max_over_lanes(value: f32, lid: u32, lanes: u32) -> f32 {
    if lanes == 1u { return value; }
    let parts = min(lanes, 16u);
    let first = lid - lid % lanes;
    lane_values[lid] = value;
    workgroupBarrier();
    if lid - first < parts {
        var part = lane_values[lid];
        for (var k = parts; k < lanes; k += parts) { part = max(part, lane_values[lid + k]); }
        lane_parts[lid] = part;
    }
    workgroupBarrier();
    var highest = lane_parts[first];
    for (var k = 1u; k < parts; k++) { highest = max(highest, lane_parts[first + k]); }
    return highest;
}
