// The session at the front (nginx, /etc/imagekit/front): a password or a token is asked about
// at /session. The token is kept for this tab only, and never in a cookie: cookies do not tell
// ports apart (RFC 6265, section 8.5), and each port of a server may be another person's.
const KEPT = 'imagekit.token';

export class Refused extends Error {}
export class TooFast extends Error {}
export class Away extends Error {}

export const token = () => sessionStorage.getItem(KEPT);
export const forget = () => sessionStorage.removeItem(KEPT);

export function login(password) {
    // RFC 7617: user and password in UTF-8, then in Base64, which btoa makes of bytes.
    const bytes = new TextEncoder().encode(`desktop:${password}`);
    return ask(`Basic ${btoa(String.fromCharCode(...bytes))}`);
}

export const resume = () => ask(`Bearer ${token()}`);

// What the front says of the session: {token, vnc, jupyter}.
async function ask(authorization) {
    let answer;
    try {
        // Without credentials of its own the browser shows no dialog for a refusal.
        answer = await fetch('session', {
            headers: { authorization }, credentials: 'omit', cache: 'no-store',
        });
    } catch {
        throw new Away();
    }
    if (answer.status === 401) {
        throw new Refused();
    }
    if (answer.status === 429) {
        throw new TooFast();
    }
    if (!answer.ok) {
        throw new Away();
    }
    const session = await answer.json();
    sessionStorage.setItem(KEPT, session.token);
    return session;
}
