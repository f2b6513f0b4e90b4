// Sums and maxima over a team: `team` neighbouring invocations (a power of two) of a workgroup of 256 at
// most, by a fixed tree, so that the same values always give the same bits. Every invocation of the
// workgroup calls together, and every member of a team gets its team's result. Shared: 1 KiB.

const LOWEST: f32 = -3.4028234e38; // below every finite value: where a maximum starts

var<workgroup> team_values: array<f32, 256>;

fn team_sum(value: f32, lid: u32, team: u32) -> f32 {
    if team == 1u { return value; }
    workgroupBarrier(); // all have read the result before
    team_values[lid] = value;
    for (var half = team / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if lid % team < half { team_values[lid] += team_values[lid + half]; }
    }
    workgroupBarrier();
    return team_values[lid - lid % team];
}

fn team_max(value: f32, lid: u32, team: u32) -> f32 {
    if team == 1u { return value; }
    workgroupBarrier();
    team_values[lid] = value;
    for (var half = team / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if lid % team < half { team_values[lid] = max(team_values[lid], team_values[lid + half]); }
    }
    workgroupBarrier();
    return team_values[lid - lid % team];
}
