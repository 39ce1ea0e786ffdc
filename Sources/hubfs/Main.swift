import ArgumentParser
import Glibc
import HubClient
import WriteBack

@main
struct HubfsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hubfs",
        abstract: "Mounts Hugging Face Hub repos as directories.",
        usage: """
            hubfs mount SRC DIR [options]
            hubfs SRC DIR [-o opt,opt…]      as mount(8) and /etc/fstab call it
            hubfs run -v SRC:DIR… -- CMD…    with mounts that CMD alone sees
            hubfs <command> --help
            """,
        discussion: """
            SRC is hf://[models/|datasets/|spaces/]namespace/name[@revision][/folder], \
            namespace/name, or the address of a repo's page. Nothing is downloaded until it is \
            read; what was read is kept in a local cache.

              hubfs mount hf://openai-community/gpt2 /mnt/gpt2
              hubfs umount /mnt/gpt2

            The Hub and the token are found as Hugging Face's own tools find them: HF_ENDPOINT, \
            HF_TOKEN, HF_TOKEN_PATH, HF_HOME, HF_HUB_OFFLINE. A token is never given on the command \
            line, where every user of the machine could see it.

            Every option can also be said by a variable, as --read-timeout by HUBFS_READ_TIMEOUT, and in \
            a file, ~/.config/hubfs/config.toml: 'hubfs config' tells more. --flag=false or --no-flag, and \
            --option= take back what is said there.

            Exit codes: 0 done, 1 failed, 2 command line not understood, 3 not found, 4 access \
            refused, 5 edits are not at the Hub yet, 6 Hub unavailable, 7 mount point, 8 busy, 9 FUSE \
            unavailable, 10 local storage, 11 damaged bytes, 12 no answer in time, 13 conflict with \
            somebody else's commit, 14 edits refused by the Hub, 15 not all is in the cache.
            """,
        version: "hubfs \(hubfsVersion)",
        subcommands: [
            MountCommand.self, UnmountCommand.self, RunCommand.self, CommitCommand.self,
            FlushCommand.self,
            StatusCommand.self, StatsCommand.self, DiffCommand.self, DiscardCommand.self,
            ResolveCommand.self, PullCommand.self, RecoverCommand.self, LogCommand.self,
            ListCommand.self, CatCommand.self, StatCommand.self,
            WarmCommand.self, CacheCommand.self, DoctorCommand.self, DebugCommand.self,
            ServeCommand.self, ConfigCommand.self,
        ]
    )

    /// Here for the help: `Invocation` has taken it from the command line before it is parsed.
    @Option(
        help: ArgumentHelp(
            "Take this file of options instead of $HUBFS_CONFIG or ~/.config/hubfs/config.toml; of any command.",
            valueName: "file"))
    var config: String?

    static func main() {
        // A reader that goes away is an error of the write, not the end of the process.
        signal(SIGPIPE, SIG_IGN)
        let code = status(of: {
            if let complaint = CrashPoint.complaint { throw Failure(.usage, complaint) }
            try Invocation(Array(CommandLine.arguments.dropFirst())).run()
        })
        Glibc.exit(code)
    }

    /// Runs a command, or what is left of one, and writes why it failed.
    ///
    /// - Returns: what this process has to end with.
    static func status(of body: () throws -> Void) -> Int32 {
        do {
            try body()
            return ExitCode.success.rawValue
        } catch let failure as Failure {
            return end(failure.code, "hubfs: \(failure.sentence)")
        } catch  where exitCode(for: error).isSuccess {
            // Help and version come as errors too.
            print(fullMessage(for: error))
            return ExitCode.success.rawValue
        } catch  where exitCode(for: error) == .validationFailure {
            return end(.usage, fullMessage(for: error))
        } catch {
            return end(.failure, "hubfs: \(error)")
        }
    }

    private static func end(_ code: ExitCode, _ text: String) -> Int32 {
        writeToStandardError(text + "\n")
        return code.rawValue
    }
}
