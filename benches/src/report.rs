//! The figures, and whether they hold.

/// All figures of a run.
#[derive(Debug, Default)]
pub(crate) struct Report(Vec<Figure>);

#[derive(Debug)]
struct Figure {
    what: String,
    ours: String,
    ceiling: String,
    limit: String,
    holds: bool,
}

impl Report {
    /// A figure: what was measured, ours, the ceiling of the same run, the limit, and the verdict.
    pub(crate) fn add(
        &mut self,
        what: &str,
        ours: &str,
        ceiling: &str,
        (limit, holds): (&str, bool),
    ) {
        eprintln!("{what}: {ours} (ceiling {ceiling}; limit {limit})");
        let text = String::from;
        self.0.push(Figure {
            what: text(what),
            ours: text(ours),
            ceiling: text(ceiling),
            limit: text(limit),
            holds,
        });
    }

    /// A table in Markdown, as docs/BENCHMARKS.md shows it.
    pub(crate) fn print(&self) {
        println!("| measured | ours | ceiling in the same run | limit | holds |");
        println!("|---|---|---|---|---|");
        for figure in &self.0 {
            let Figure {
                what,
                ours,
                ceiling,
                limit,
                holds,
            } = figure;
            println!(
                "| {what} | {ours} | {ceiling} | {limit} | {} |",
                if *holds { "yes" } else { "NO" }
            );
        }
    }

    pub(crate) fn holds(&self) -> bool {
        self.0.iter().all(|figure| figure.holds)
    }
}
