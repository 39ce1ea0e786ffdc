import CLinux

/// The CRC-32C (Castagnoli) of `bytes`, as the cache keeps for each block.
///
/// Source: RFC 3720, appendix B.4.
package func crc32c(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    hubfs_crc32c(0, bytes.baseAddress, bytes.count)
}
