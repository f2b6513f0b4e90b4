//! Amdahl's law fitted to times.

use crate::stats::mean;

/// t(n) = first (serial + (1 - serial) / n).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Amdahl {
    /// The share that more parallelism does not shorten, 0 to 1.
    pub serial: f64,
    /// t(1) by the fit.
    pub first_ns: f64,
    /// Root mean square of the residuals over the mean time; nothing where there are no more points than
    /// parameters, since then the fit is exact for want of a check.
    pub error: Option<f64>,
}

/// Least squares with the serial share held between 0 and 1. `None` for fewer than two different `n`, or
/// where a time is not above 0.
pub fn amdahl(n: &[usize], ns: &[f64]) -> Option<Amdahl> {
    let usable = |t: &f64| t.is_finite() && *t > 0.0;
    if n.len() != ns.len() || n.contains(&0) || !ns.iter().all(usable) {
        return None;
    }
    // t = a + b x over x = 1 / n, with a = first serial and b = first (1 - serial): none may be below 0.
    let x: Vec<f64> = n.iter().map(|&n| 1.0 / n as f64).collect();
    let (mx, mt) = (mean(&x), mean(ns));
    let square: f64 = x.iter().map(|x| (x - mx) * (x - mx)).sum();
    if square <= 0.0 {
        return None;
    }
    let slope = x.iter().zip(ns).map(|(x, t)| (x - mx) * (t - mt)).sum::<f64>() / square;
    let (a, b) = match (mt - slope * mx, slope) {
        // More threads take longer: the best allowed is a constant.
        (_, b) if b < 0.0 => (mt, 0.0),
        // Faster than in proportion: the best allowed goes through the origin.
        (a, _) if a < 0.0 => {
            let product: f64 = x.iter().zip(ns).map(|(x, t)| x * t).sum();
            (0.0, product / x.iter().map(|x| x * x).sum::<f64>())
        }
        inside => inside,
    };
    let squares: f64 = x.iter().zip(ns).map(|(x, t)| (t - a - b * x).powi(2)).sum();
    Some(Amdahl {
        serial: a / (a + b),
        first_ns: a + b,
        error: (n.len() > 2).then(|| (squares / x.len() as f64).sqrt() / mt),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn law(first: f64, serial: f64, n: usize) -> f64 {
        first * (serial + (1.0 - serial) / n as f64)
    }

    #[test]
    fn a_planted_serial_share_is_recovered() {
        let n = [1, 2, 4, 8];
        for serial in [0.0, 0.1, 0.5, 0.93, 1.0] {
            let times = n.map(|n| law(250.0, serial, n));
            let fit = amdahl(&n, &times).unwrap();
            assert!((fit.serial - serial).abs() < 1e-12, "{fit:?}");
            assert!((fit.first_ns - 250.0).abs() < 1e-9 && fit.error.unwrap() < 1e-12);
        }
    }

    #[test]
    fn noise_shows_as_error_and_hardly_moves_the_share() {
        let n = [1, 2, 4, 8, 16];
        let noise = [1.02, 0.98, 1.02, 0.98, 1.02];
        let times: Vec<f64> = n.iter().zip(noise).map(|(&n, e)| law(100.0, 0.3, n) * e).collect();
        let fit = amdahl(&n, &times).unwrap();
        assert!((fit.serial - 0.3).abs() < 0.02, "{fit:?}");
        let error = fit.error.unwrap();
        assert!((0.005..0.03).contains(&error), "{error}");
    }

    #[test]
    fn the_share_stays_between_0_and_1() {
        let slower = amdahl(&[1, 2, 4], &[10.0, 12.0, 14.0]).unwrap();
        assert_eq!((slower.serial, slower.first_ns), (1.0, 12.0));
        let faster = amdahl(&[1, 2, 4], &[10.0, 4.0, 1.0]).unwrap();
        assert_eq!(faster.serial, 0.0);
        assert!(faster.error.unwrap() > 0.05);
    }

    #[test]
    fn too_little_is_no_fit() {
        assert_eq!(amdahl(&[1], &[1.0]), None);
        assert_eq!(amdahl(&[2, 2], &[1.0, 1.0]), None);
        assert_eq!(amdahl(&[1, 2], &[1.0, 0.0]), None);
        assert_eq!(amdahl(&[1, 2], &[1.0, f64::NAN]), None);
        assert_eq!(amdahl(&[0, 2], &[1.0, 1.0]), None);
        assert_eq!(amdahl(&[1, 2], &[10.0, 6.0]).unwrap().error, None);
    }
}
