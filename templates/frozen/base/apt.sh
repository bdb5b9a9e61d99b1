# shellcheck shell=sh
# Sourced by env.sh in a frozen build: apt takes what the lock file has, and nothing else.
# Beside this file:
#
#   apt      a package a line: name, version, architecture, SHA-256 of its file or -
#   foreign  the same for packages of NVIDIA's or Mozilla's source, which one step alone reaches
frozen=/run/imagekit-build/base/frozen

# The lock's versions before all others, even for a downgrade; what it does not have, never.
# apt_preferences(5), "How APT Interprets Priorities"
# shellcheck disable=SC2154  # place is env.sh's
{
    printf 'Package: *\nPin: release *\nPin-Priority: -1\n'
    awk -v native="$(dpkg --print-architecture)" '{
        name = $3 == "all" || $3 == native ? $1 : $1 ":" $3
        printf "\nPackage: %s\nPin: version %s\nPin-Priority: 1001\n", name, $2
    }' "$frozen/apt" "$frozen/foreign"
} > "$place/preferences"
mkdir -p "$place/preferences.d"
cat >> "$place/apt.conf" <<CONF
Dir::Etc::preferences "$place/preferences";
Dir::Etc::preferencesparts "$place/preferences.d";
CONF
chmod -R a+rX "$place"

# The first step that asks apt for anything: what is gone is said before anything is done.
# Lists that are an hour old would promise what the mirror may no longer have.
apt_upgrade() {
    apt_lists && apt_drift && apt-get upgrade --yes
}

# What the lock has and neither the image nor the mirror does, a line each; fails if there is any.
apt_drift() {
    dpkg-query --show \
        --showformat='${db:Status-Status} ${Package} ${Version} ${Architecture}\n' > "$place/have"
    apt_known "$frozen/apt" > "$place/known"
    awk -v have="$place/have" -v known="$place/known" '
        BEGIN {
            while ((getline line < have) > 0)
                if (split(line, word, " ") == 4 && word[1] == "installed")
                    there[word[2], word[3], word[4]] = 1
            while ((getline line < known) > 0) {
                split(line, word, " ")
                sum[word[1], word[2], word[3]] = word[4]
                exact[word[1], word[2], word[3], word[4]] = 1
                if (!((word[1], word[2]) in said)) {
                    said[word[1], word[2]] = 1
                    versions[word[1]] = versions[word[1]] ", " word[2]
                }
            }
        }
        ($1, $2, $3) in there { next }
        ($1, $2, $3, $4) in exact || ($4 == "-" && ($1, $2, $3) in sum) { next }
        {
            drifted = 1
            if (($1, $2, $3) in sum)
                now = "this version with another checksum, sha256:" sum[$1, $2, $3]
            else
                now = $1 in versions ? substr(versions[$1], 3) : "no such package"
            printf "imagekit: apt drift: %s: locked %s, the mirror has %s\n", $1, $2, now
        }
        END { exit drifted }' "$frozen/apt"
}
