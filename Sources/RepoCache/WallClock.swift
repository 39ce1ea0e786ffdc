import Glibc

/// Seconds since 1970, for last-use marks on disk that outlive the machine's monotonic clock.
func secondsSince1970() -> Int64 {
    Int64(time(nil))
}
