// swift-tools-version: 6.2
import PackageDescription

// Modules and what each may need are drawn in docs/ARCHITECTURE.md; the arrows there are the
// `dependencies` below, so an arrow in the wrong direction does not build.

/// Settings every Swift target of this package is built with.
let house: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableExperimentalFeature("Lifetimes"),
    .treatAllWarnings(as: .error),
]

/// Codecs are fast in debug builds too: their tests have a gigabyte to work through.
let codec = (
    c: [CSetting.unsafeFlags(["-O2"])],
    swift: [SwiftSetting.unsafeFlags(["-O"], .when(configuration: .debug))]
)

let argumentParser = Target.Dependency.product(
    name: "ArgumentParser", package: "swift-argument-parser")
let collections = Target.Dependency.product(name: "Collections", package: "swift-collections")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let grpcCore = Target.Dependency.product(name: "GRPCCore", package: "grpc-swift-2")
let grpcProtobuf = Target.Dependency.product(name: "GRPCProtobuf", package: "grpc-swift-protobuf")
let grpcTransport = Target.Dependency.product(
    name: "GRPCNIOTransportHTTP2Posix", package: "grpc-swift-nio-transport")
let httpTypes = Target.Dependency.product(name: "HTTPTypes", package: "swift-http-types")
let hummingbirdCore = Target.Dependency.product(name: "HummingbirdCore", package: "hummingbird")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioHTTPTypes = Target.Dependency.product(name: "NIOHTTPTypes", package: "swift-nio-extras")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let protobuf = Target.Dependency.product(name: "SwiftProtobuf", package: "swift-protobuf")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")
let system = Target.Dependency.product(name: "SystemPackage", package: "swift-system")

let package = Package(
    name: "hubfs",
    products: [
        .executable(name: "hubfs", targets: ["hubfs"]),
        .executable(name: "localhub", targets: ["localhub"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", exact: "1.6.0"),
        .package(url: "https://github.com/apple/swift-crypto", exact: "4.5.2"),
        .package(url: "https://github.com/apple/swift-http-types.git", exact: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio.git", exact: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras.git", exact: "1.35.2"),
        // Without its traits it does not need the whole of Foundation.
        .package(url: "https://github.com/apple/swift-protobuf", exact: "1.39.0", traits: []),
        .package(url: "https://github.com/apple/swift-system", exact: "1.8.1"),
        .package(url: "https://github.com/groue/GRDB.swift", exact: "7.10.0"),
        .package(url: "https://github.com/grpc/grpc-swift-2", exact: "2.4.3"),
        .package(url: "https://github.com/grpc/grpc-swift-nio-transport", exact: "2.9.2"),
        .package(url: "https://github.com/grpc/grpc-swift-protobuf", exact: "2.4.1"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", exact: "2.28.1"),
        .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
    ],
    targets: [
        // The edges: C libraries and the kernel.
        .target(name: "CLinux"),
        .systemLibrary(name: "CFuse", pkgConfig: "fuse3", providers: [.apt(["libfuse3-dev"])]),
        .systemLibrary(
            name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .systemLibrary(name: "CLZ4", pkgConfig: "liblz4", providers: [.apt(["liblz4-dev"])]),

        // Inner loops that need the processor's vectors.
        .target(name: "CXet", cSettings: codec.c),

        // The product, from the bottom up.
        .target(
            name: "Platform", dependencies: ["CLinux", system, collections],
            swiftSettings: house),
        .target(name: "XetCodec", dependencies: ["CLZ4", "CXet"], swiftSettings: house + codec.swift),
        .target(
            name: "HTTPTransport", dependencies: ["CCurl", "Platform", collections, system],
            swiftSettings: house),
        .target(
            name: "HubClient", dependencies: ["HTTPTransport", "Platform", "XetCodec", system],
            swiftSettings: house),
        .target(
            name: "RepoCache",
            dependencies: [
                "HubClient", "Platform", "XetCodec", grdb, crypto, collections, logging, system,
            ],
            swiftSettings: house),
        .target(
            name: "FuseBridge", dependencies: ["CFuse", "CLinux", "Platform", logging, system],
            swiftSettings: house),
        .target(
            name: "WriteBack",
            dependencies: ["HubClient", "Platform", "XetCodec", grdb, crypto, logging, system],
            swiftSettings: house),
        .target(
            name: "RepoFS",
            dependencies: [
                "FuseBridge", "RepoCache", "WriteBack", "HubClient", "XetCodec", "Platform", logging, system,
            ],
            swiftSettings: house),
        // Generated by scripts/generate-csi, so none of our settings holds for it.
        .target(
            name: "CSIMessages", dependencies: [grpcCore, grpcProtobuf, protobuf],
            exclude: ["csi.proto"]),
        .target(
            name: "VolumeDrivers",
            dependencies: [
                "CLinux", "CSIMessages", "FuseBridge", "HubClient", "Platform", grpcCore, grpcTransport,
                hummingbirdCore, httpTypes, nioCore, nioPosix, protobuf, logging, system,
            ],
            swiftSettings: house),
        .target(name: "Settings", swiftSettings: house),
        .executableTarget(
            name: "hubfs",
            dependencies: [
                "Settings", "VolumeDrivers", "RepoFS", "HubClient", "RepoCache", "WriteBack", "FuseBridge", "HTTPTransport",
                "Platform",
                "CLinux",
                argumentParser, logging, system,
            ],
            swiftSettings: house),

        // A Hub in a folder. The product never imports it.
        .target(
            name: "LocalHub",
            dependencies: [
                "CLinux", "XetCodec", hummingbirdCore, httpTypes, nioCore, nioPosix, nioHTTPTypes, grdb,
                crypto, logging, yams,
            ],
            swiftSettings: house),
        .executableTarget(
            name: "localhub", dependencies: ["LocalHub", argumentParser, logging],
            swiftSettings: house),

        // A disk that loses what was not synced. For tests alone.
        .executableTarget(
            name: "powercut",
            dependencies: ["FuseBridge", "Platform", argumentParser, logging, system],
            swiftSettings: house),

        // How fast the codecs are. For scripts/bench alone.
        .executableTarget(
            name: "codecbench", dependencies: ["XetCodec", "Platform", argumentParser, system],
            swiftSettings: house),

        // Tests.
        .target(
            name: "TestSupport", dependencies: ["LocalHub", "Platform", "HubClient", system],
            swiftSettings: house),
        .testTarget(
            name: "PlatformTests", dependencies: ["Platform", "TestSupport", system],
            swiftSettings: house),
        .testTarget(
            name: "XetCodecTests", dependencies: ["XetCodec", "CXet", crypto],
            exclude: ["Samples", "Vectors"], swiftSettings: house),
        .testTarget(
            name: "HTTPTransportTests",
            dependencies: ["HTTPTransport", "Platform", "TestSupport", system],
            swiftSettings: house),
        .testTarget(
            name: "HubClientTests",
            dependencies: [
                "HubClient", "HTTPTransport", "LocalHub", "Platform", "TestSupport", "XetCodec", system,
            ],
            exclude: ["Samples"], swiftSettings: house),
        .testTarget(
            name: "RepoCacheTests",
            dependencies: [
                "RepoCache", "HubClient", "Platform", "TestSupport", "XetCodec", crypto, logging, system,
                grdb,
            ],
            swiftSettings: house),
        .testTarget(
            name: "WriteBackTests",
            dependencies: [
                "WriteBack", "HubClient", "Platform", "TestSupport", "XetCodec", logging, system,
            ],
            swiftSettings: house),
        .testTarget(
            name: "FuseBridgeTests",
            dependencies: ["FuseBridge", "Platform", "TestSupport", logging, system],
            swiftSettings: house),
        .testTarget(
            name: "RepoFSTests",
            dependencies: ["RepoFS", "FuseBridge", "RepoCache", "HubClient", "Platform", system],
            swiftSettings: house),
        .testTarget(
            name: "VolumeDriversTests",
            dependencies: ["VolumeDrivers", "Platform", "TestSupport", logging, system],
            swiftSettings: house),
        .testTarget(name: "SettingsTests", dependencies: ["Settings"], swiftSettings: house),
        .testTarget(
            name: "LocalHubTests", dependencies: ["LocalHub", "XetCodec", crypto],
            swiftSettings: house),
    ]
)
