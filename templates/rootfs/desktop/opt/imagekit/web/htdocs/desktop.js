// The desktop in a page: a login, noVNC's RFB client, clipboard and reconnecting.
// API used: https://github.com/novnc/noVNC/blob/v1.7.0/docs/API.md
import RFB from './novnc/core/rfb.js';
import * as front from './session.js';
import { language, text } from './texts.js';

const at = (id) => document.getElementById(id);
const RETRY_MS = 2000;
const VNC_AUTHENTICATION = 2;  // RFC 6143, section 7.1.2

// Where native viewers are let in, the X server offers their types first, and noVNC would
// take the first whose name it knows (noVNC 1.7.0, core/rfb.js, _negotiateSecurity).
class Desktop extends RFB {
    _isSupportedSecurityType(type) {
        return type === VNC_AUTHENTICATION;
    }
}

let rfb = null;
let leaving = false;

function say(message, wrong = false) {
    at('message').textContent = message;
    at('message').classList.toggle('wrong', wrong);
}

function showDoor(busy) {
    at('door').hidden = false;
    at('bar').hidden = true;
    at('enter').disabled = busy;
    at('password').disabled = busy;
    if (!busy) {
        at('password').value = '';
        at('password').focus();
    }
}

// Ask the front by a password or the kept token, then connect; retry while it is away.
async function open(ask, refusal) {
    try {
        connect(await ask());
    } catch (error) {
        if (error instanceof front.Away) {
            showDoor(true);
            say(text.away, true);
            setTimeout(open, RETRY_MS, ask, refusal);
            return;
        }
        front.forget();
        showDoor(false);
        say(error instanceof front.TooFast ? text.toofast : refusal, true);
    }
}

const reopen = () => open(front.resume, text.over);

function connect(session) {
    const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
    const folder = location.pathname.replace(/[^/]*$/, '');
    leaving = false;
    rfb = new Desktop(at('screen'), `${scheme}://${location.host}${folder}websockify`, {
        credentials: { password: session.vnc },
        wsProtocols: ['binary', `imagekit.${session.token}`],
    });
    rfb.resizeSession = true;
    rfb.background = 'var(--ground)';
    rfb.addEventListener('connect', () => {
        at('door').hidden = true;
        at('bar').hidden = false;
        at('jupyter').hidden = !session.jupyter;
        say('');
        rfb.focus();
        offerClipboard();
    });
    rfb.addEventListener('disconnect', () => {
        rfb = null;
        if (leaving) {
            front.forget();
            showDoor(false);
            say(text.bye);
        } else {
            // The front says whether the session is still good, or its end is why.
            showDoor(true);
            say(text.lost, true);
            setTimeout(reopen, RETRY_MS);
        }
    });
    rfb.addEventListener('clipboard', (event) => {
        at('clipboard').value = event.detail.text;
        // Only a secure page may write the visitor's clipboard; the text area always works.
        navigator.clipboard?.writeText(event.detail.text).catch(() => {});
    });
    rfb.addEventListener('desktopname', (event) => {
        document.title = event.detail.name;
    });
}

// The visitor's clipboard, where the page is secure and the visitor lets it be read.
async function offerClipboard() {
    try {
        const copied = await navigator.clipboard?.readText();
        if (copied && copied !== at('clipboard').value) {
            at('clipboard').value = copied;
            rfb?.clipboardPasteFrom(copied);
        }
    } catch {
        // Not allowed: the text area is there for it.
    }
}

at('title').textContent = text.title;
at('password').placeholder = text.password;
at('password').setAttribute('aria-label', text.password);
at('enter').textContent = text.enter;
at('handle').setAttribute('aria-label', text.tools);
at('clipboard-label').textContent = text.clipboard;
at('fullscreen').textContent = text.fullscreen;
at('leave').textContent = text.leave;
document.documentElement.lang = language;

at('login').addEventListener('submit', (event) => {
    event.preventDefault();
    const password = at('password').value;
    showDoor(true);
    say(text.connecting);
    open(() => front.login(password), text.wrong);
});
at('handle').addEventListener('click', () => {
    const tools = at('tools');
    tools.hidden = !tools.hidden;
    at('handle').setAttribute('aria-expanded', String(!tools.hidden));
});
at('clipboard').addEventListener('input', () => {
    rfb?.clipboardPasteFrom(at('clipboard').value);
});
at('fullscreen').addEventListener('click', () => {
    if (document.fullscreenElement) {
        document.exitFullscreen();
    } else {
        document.documentElement.requestFullscreen();
    }
});
at('leave').addEventListener('click', () => {
    leaving = true;
    rfb?.disconnect();
});
window.addEventListener('focus', () => {
    if (rfb) {
        offerClipboard();
    }
});

if (front.token()) {
    showDoor(true);
    say(text.connecting);
    reopen();
} else {
    showDoor(false);
}
