// The desktop in a page: a password, noVNC's RFB client, clipboard and reconnecting.
// API used: https://github.com/novnc/noVNC/blob/v1.7.0/docs/API.md
import RFB from './novnc/core/rfb.js';

const texts = {
    en: {
        title: 'Desktop', password: 'Password', enter: 'Open', clipboard: 'Clipboard',
        fullscreen: 'Full screen', leave: 'Disconnect', connecting: 'Connecting …',
        wrong: 'That password was not accepted.', lost: 'The desktop is away; trying again …',
        bye: 'Disconnected.',
    },
    zh: {
        title: '远程桌面', password: '密码', enter: '进入', clipboard: '剪贴板',
        fullscreen: '全屏', leave: '断开连接', connecting: '正在连接……',
        wrong: '密码不正确。', lost: '桌面暂时无法连接，正在重试……', bye: '已断开连接。',
    },
};
const language = navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en';
const text = texts[language];
const at = (id) => document.getElementById(id);
const RETRY_MS = 2000;

let rfb = null;
let password = '';
let opened = false;   // whether this password has opened the desktop before
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
        at('password').focus();
    }
}

function connect() {
    const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
    const folder = location.pathname.replace(/[^/]*$/, '');
    leaving = false;
    rfb = new RFB(at('screen'), `${scheme}://${location.host}${folder}websockify`, {
        credentials: { password },
        wsProtocols: ['binary'],
    });
    rfb.resizeSession = true;
    rfb.background = 'var(--ground)';
    let refused = false;
    rfb.addEventListener('connect', () => {
        opened = true;
        at('door').hidden = true;
        at('bar').hidden = false;
        say('');
        rfb.focus();
    });
    rfb.addEventListener('securityfailure', () => {
        refused = true;
    });
    rfb.addEventListener('disconnect', () => {
        rfb = null;
        if (refused) {
            password = '';
            opened = false;
            at('password').value = '';
            showDoor(false);
            say(text.wrong, true);
        } else if (leaving) {
            showDoor(false);
            say(text.bye);
        } else {
            showDoor(opened);
            say(text.lost, true);
            if (opened) {
                setTimeout(connect, RETRY_MS);
            }
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

at('title').textContent = text.title;
at('password').placeholder = text.password;
at('password').setAttribute('aria-label', text.password);
at('enter').textContent = text.enter;
at('clipboard-label').textContent = text.clipboard;
at('fullscreen').textContent = text.fullscreen;
at('leave').textContent = text.leave;
document.documentElement.lang = language;
showDoor(false);

at('login').addEventListener('submit', (event) => {
    event.preventDefault();
    password = at('password').value;
    showDoor(true);
    say(text.connecting);
    connect();
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
