/// What Docker's daemon sends, and what it is answered: JSON objects whose members have these names.
/// Source: Docker Engine, "Plugin API" and "Volume plugins".
enum DockerMessage {
    /// The members of all requests; each has those it needs.
    struct Request: Decodable {
        let name: String?
        let id: String?
        let options: [String: String]?

        enum CodingKeys: String, CodingKey {
            case name = "Name"
            case id = "ID"
            case options = "Opts"
        }
    }

    /// The answer to everything that has nothing to tell, and to what failed.
    struct Done: Encodable {
        /// Shown to people; empty when it went well.
        var error = ""

        enum CodingKeys: String, CodingKey { case error = "Err" }
    }

    struct Activation: Encodable {
        let implements = ["VolumeDriver"]

        enum CodingKeys: String, CodingKey { case implements = "Implements" }
    }

    struct Capabilities: Encodable {
        struct Members: Encodable {
            /// Each machine has its own volumes.
            let scope = "local"

            enum CodingKeys: String, CodingKey { case scope = "Scope" }
        }

        let capabilities = Members()

        enum CodingKeys: String, CodingKey { case capabilities = "Capabilities" }
    }

    struct Place: Encodable {
        let mountPoint: String

        enum CodingKeys: String, CodingKey { case mountPoint = "Mountpoint" }
    }

    struct One: Encodable {
        let volume: Description

        enum CodingKeys: String, CodingKey { case volume = "Volume" }
    }

    struct Several: Encodable {
        let volumes: [Description]

        enum CodingKeys: String, CodingKey { case volumes = "Volumes" }
    }

    struct Description: Encodable {
        let name: String
        let mountPoint: String
        /// `2026-01-02T03:04:05Z`
        let created: String
        let status: Status

        enum CodingKeys: String, CodingKey {
            case name = "Name"
            case mountPoint = "Mountpoint"
            case created = "CreatedAt"
            case status = "Status"
        }
    }

    /// What `docker volume inspect` shows under "Status".
    struct Status: Encodable {
        struct End: Encodable {
            let time: String
            let code: Int32
            let message: String
        }

        let source: String
        let writable: Bool
        /// `mounted`, `not mounted`, or what is under way: `being mounted`, `being unmounted`, `being
        /// committed`.
        let state: String
        /// How many containers have the volume.
        let containers: Int
        /// How the last mount ended.
        let lastEnd: End?
    }
}
