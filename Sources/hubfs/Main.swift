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

            Exit codes: 0 done, 1 failed, 2 command line not understood, 3 not found, 4 access \
            refused, 5 edits are not at the Hub yet, 6 Hub unavailable, 7 mount point, 8 busy, 9 FUSE \
            unavailable, 10 local storage, 11 damaged bytes, 12 no answer in time, 13 conflict with \
            somebody else's commit, 14 edits refused by the Hub.
            """,
        version: "hubfs \(hubfsVersion)",
        subcommands: [
            MountCommand.self, UnmountCommand.self, CommitCommand.self, StatusCommand.self,
            DiffCommand.self, DiscardCommand.self, ResolveCommand.self,
            PullCommand.self, RecoverCommand.self, LogCommand.self,
            ListCommand.self, CatCommand.self, StatCommand.self,
            CacheCommand.self, DoctorCommand.self,
        ]
    )

    static func main() {
        // A reader that goes away is an error of the write, not the end of the process.
        signal(SIGPIPE, SIG_IGN)
        do {
            if let complaint = CrashPoint.complaint { throw Failure(.usage, complaint) }
            let arguments = CommandLine.arguments
            var command: any ParsableCommand
            if try MountForm.isMeant(by: arguments.dropFirst()) {
                command = try MountForm.parseAsRoot(Array(arguments.dropFirst()))
            } else {
                command = try parseAsRoot()
            }
            try command.run()
        } catch let failure as Failure {
            end(failure.code, "hubfs: \(failure.sentence)")
        } catch  where exitCode(for: error).isSuccess {
            // Help and version come as errors too.
            print(fullMessage(for: error))
        } catch  where exitCode(for: error) == .validationFailure {
            end(.usage, fullMessage(for: error))
        } catch {
            end(.failure, "hubfs: \(error)")
        }
    }

    private static func end(_ code: ExitCode, _ text: String) -> Never {
        writeToStandardError(text + "\n")
        Glibc.exit(code.rawValue)
    }
}
