# SPDX-License-Identifier: MIT
# Completion of vmdk(1) for fish.

set -l verbs info map read hash compare convert
set -l no_verb "not __fish_seen_subcommand_from $verbs help"
set -l any_verb "__fish_seen_subcommand_from $verbs"

complete -c vmdk -f -n "$no_verb" -a info -d 'Show what is known of a disk'
complete -c vmdk -f -n "$no_verb" -a map -d 'Show how a disk is stored, piece by piece'
complete -c vmdk -f -n "$no_verb" -a read -d 'Read bytes as the guest sees them'
complete -c vmdk -f -n "$no_verb" -a hash -d 'Print the digest of what the guest sees'
complete -c vmdk -f -n "$no_verb" -a compare -d 'Compare what two disks show the guest'
complete -c vmdk -f -n "$no_verb" -a convert -d 'Write a disk as a raw image'
complete -c vmdk -f -n "$no_verb" -a help -d 'Print the help of a verb'
complete -c vmdk -f -n "$no_verb" -l version -d 'Print the version'
complete -c vmdk -s h -l help -d 'Print help'
complete -c vmdk -f -n '__fish_seen_subcommand_from help' -a "$verbs"

complete -c vmdk -n "$any_verb" -x -l allow-path -a '(__fish_complete_directories)' -d 'Let the disk name files below a directory too'
complete -c vmdk -n "$any_verb" -l allow-any-path -d 'Let the disk name any file or device'
complete -c vmdk -n "$any_verb" -l recover -d 'Read a damaged disk through whichever table is sane'
complete -c vmdk -n "$any_verb" -l no-parent -d 'Leave parents closed'
complete -c vmdk -n "$any_verb" -x -l member -d 'Which disk of an OVA or tar'
complete -c vmdk -n "$any_verb" -x -l encoding -d 'Code page of the descriptors'
complete -c vmdk -n "$any_verb" -x -l threads -d 'Threads that move data'
complete -c vmdk -n "$any_verb" -x -l progress -a 'auto plain none' -d 'How progress is shown'
complete -c vmdk -n "$any_verb" -s q -l quiet -d 'No progress, no notes'
complete -c vmdk -n "$any_verb" -s v -l verbose -d 'Say how the disk was understood'

complete -c vmdk -n '__fish_seen_subcommand_from info map' -l json -d 'Print a JSON document'
complete -c vmdk -n '__fish_seen_subcommand_from info' -l chain -d 'Every disk of the chain'
complete -c vmdk -n '__fish_seen_subcommand_from info' -l extents -d 'The extents and their files'
complete -c vmdk -n '__fish_seen_subcommand_from info' -l keys -d 'Every key of the descriptor'
complete -c vmdk -n '__fish_seen_subcommand_from map' -r -F -l svg -d 'Draw a picture'
complete -c vmdk -n '__fish_seen_subcommand_from read' -r -F -s o -l output -d 'Write to a file'
complete -c vmdk -n '__fish_seen_subcommand_from hash' -x -l algorithm -a 'sha256 sha1 md5 sha512' -d 'Which digest'
complete -c vmdk -n '__fish_seen_subcommand_from compare' -l raw-a -d 'The first file holds raw bytes'
complete -c vmdk -n '__fish_seen_subcommand_from compare' -l raw-b -d 'The second file holds raw bytes'
complete -c vmdk -n '__fish_seen_subcommand_from convert' -x -s O -l output-kind -a raw -d 'Kind of the result'
complete -c vmdk -n '__fish_seen_subcommand_from convert' -l force -d 'Replace the result if it is there'
