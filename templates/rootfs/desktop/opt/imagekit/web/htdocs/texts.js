// What the page says, in the visitor's language.
const texts = {
    en: {
        title: 'Desktop', password: 'Password', enter: 'Open', clipboard: 'Clipboard',
        tools: 'Tools', fullscreen: 'Full screen', leave: 'Log out',
        connecting: 'Connecting …', wrong: 'That password was not accepted.',
        toofast: 'Too many tries. Wait a minute, then try again.',
        over: 'The session is over. Please log in again.',
        away: 'The server cannot be reached; trying again …',
        lost: 'The desktop is away; trying again …', bye: 'Logged out.',
    },
    zh: {
        title: '远程桌面', password: '密码', enter: '进入', clipboard: '剪贴板',
        tools: '工具', fullscreen: '全屏', leave: '退出登录',
        connecting: '正在连接……', wrong: '密码不正确。',
        toofast: '尝试次数过多，请稍等一分钟再试。',
        over: '会话已结束，请重新登录。',
        away: '无法连接服务器，正在重试……',
        lost: '桌面暂时无法连接，正在重试……', bye: '已退出登录。',
    },
};

export const language = navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en';
export const text = texts[language];
