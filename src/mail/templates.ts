/** The mails that the service sends. They contain no text from users, so nothing has to be escaped. */
import type { CodeData, MailData, NoticeData } from "../database/schema.ts";
import type { CodeTemplate, NoticeTemplate } from "./enqueue.ts";
import type { Language } from "./language.ts";
import type { Message } from "./transport.ts";

export type Template = CodeTemplate | NoticeTemplate;

/** A mail with a code. */
interface CodeWords {
  /** Without the code: mail servers log subjects, and locked phones show them. */
  subject: string;
  /** The purpose of the code. */
  request: string;
  ignore: string;
}

const CODES: Record<CodeTemplate, Record<Language, CodeWords>> = {
  verify_email: {
    en: {
      subject: "Your code to verify your e-mail address",
      request: "Enter this code to verify your e-mail address:",
      ignore: "If you did not ask for it, you can ignore this mail.",
    },
    ko: {
      subject: "이메일 주소 확인을 위한 인증번호",
      request: "이메일 주소를 확인하려면 아래 인증번호를 입력해 주세요.",
      ignore: "직접 요청하지 않으셨다면 이 메일을 무시하셔도 됩니다.",
    },
  },
  reset_password: {
    en: {
      subject: "Your code to reset your password",
      request: "Enter this code to reset your password:",
      ignore:
        "If you did not ask for it, ignore this mail: your password stays as it is. " +
        "Never tell the code to anyone.",
    },
    ko: {
      subject: "비밀번호 재설정을 위한 인증번호",
      request: "비밀번호를 재설정하려면 아래 인증번호를 입력해 주세요.",
      ignore:
        "직접 요청하지 않으셨다면 이 메일을 무시해 주세요. 비밀번호는 바뀌지 않습니다. " +
        "인증번호를 다른 사람에게 알려 주지 마세요.",
    },
  },
};

/** A mail that says what has happened. */
interface NoticeWords {
  subject: string;
  what: string;
  /** What to do if somebody else did this. */
  otherwise: string;
}

const NOTICES: Record<NoticeTemplate, Record<Language, NoticeWords>> = {
  address_replaced: {
    en: {
      subject: "Another e-mail address has replaced this one",
      what: "Another e-mail address has replaced this one in your account. You can no longer log in or reset your password with it.",
      otherwise:
        "If this was not you, somebody knows your password: tell whoever runs the service.",
    },
    ko: {
      subject: "계정의 이메일 주소가 바뀌었습니다",
      what: "계정에 등록된 이 이메일 주소가 다른 주소로 바뀌었습니다. 이제 이 주소로는 로그인하거나 비밀번호를 재설정할 수 없습니다.",
      otherwise:
        "직접 바꾸지 않으셨다면 다른 사람이 비밀번호를 알고 있는 것입니다. 서비스 운영자에게 알려 주세요.",
    },
  },
  password_changed: {
    en: {
      subject: "Your password was changed",
      what: "Your password was changed. All your other devices are logged out.",
      otherwise: "If this was not you, reset your password now.",
    },
    ko: {
      subject: "비밀번호가 변경되었습니다",
      what: "비밀번호가 변경되었습니다. 다른 기기에서는 모두 로그아웃되었습니다.",
      otherwise: "직접 변경하지 않으셨다면 지금 바로 비밀번호를 재설정해 주세요.",
    },
  },
  password_reset: {
    en: {
      subject: "Your password was reset",
      what: "Your password was reset with a code from this mailbox. All your devices are logged out.",
      otherwise:
        "If this was not you, somebody else can read your mail: secure your mailbox, then reset your password again.",
    },
    ko: {
      subject: "비밀번호가 재설정되었습니다",
      what: "이 메일함으로 받은 인증번호로 비밀번호가 재설정되었습니다. 모든 기기에서 로그아웃되었습니다.",
      otherwise:
        "직접 재설정하지 않으셨다면 다른 사람이 메일을 볼 수 있는 것입니다. 메일 계정을 먼저 보호한 뒤 비밀번호를 다시 재설정해 주세요.",
    },
  },
};

// Counted from the request, because the mail itself may arrive late.
const VALIDITY: Record<Language, (time: string) => string> = {
  en: (time) => `It is valid for ${time} from when it was requested.`,
  ko: (time) => `인증번호는 요청하신 때부터 ${time} 동안 유효합니다.`,
};

const MOMENT: Record<Language, (time: string) => string> = {
  en: (time) => `This happened on ${time}.`,
  ko: (time) => `처리된 시각: ${time}`,
};

/**
 * The mail, in the language of `data`.
 * @throws Error when the data do not belong to the template
 */
export function render(template: Template, data: MailData): Message {
  if (isCode(template)) {
    if ("otp" in data) return renderCode(CODES[template][data.language], data);
  } else if ("at" in data) {
    return renderNotice(NOTICES[template][data.language], data);
  }
  throw new Error(`These are no data for ${template}`);
}

const isCode = (template: Template): template is CodeTemplate => template in CODES;

function renderCode(
  { subject, request, ignore }: CodeWords,
  { otp, language, expires_in }: CodeData,
): Message {
  const validity = VALIDITY[language](duration(expires_in, language));
  return {
    subject,
    text: `${request}\n\n    ${otp}\n\n${validity}\n${ignore}\n`,
    html: page(
      language,
      subject,
      `<p>${request}</p>
<p style="font-size: 32px; letter-spacing: 4px"><strong>${otp}</strong></p>
<p>${validity}<br>${ignore}</p>`,
    ),
  };
}

function renderNotice(
  { subject, what, otherwise }: NoticeWords,
  { at, language }: NoticeData,
): Message {
  // To the minute: `2026-11-20 10:00 UTC`.
  const moment = MOMENT[language](`${at.slice(0, 16).replace("T", " ")} UTC`);
  return {
    subject,
    text: `${what}\n\n${moment}\n${otherwise}\n`,
    html: page(language, subject, `<p>${what}</p>\n<p>${moment}<br>${otherwise}</p>`),
  };
}

const page = (language: Language, title: string, body: string) => `<!doctype html>
<html lang="${language}">
<head><meta charset="utf-8"><title>${title}</title></head>
<body style="font-family: sans-serif; font-size: 16px; line-height: 1.5">
${body}
</body>
</html>
`;

/**
 * In whole minutes, rounded down so that the mail does not promise too much. Less than one minute is given in seconds.
 */
function duration(seconds: number, language: Language): string {
  const [count, unit] = seconds < 60 ? [seconds, "second"] : [Math.floor(seconds / 60), "minute"];
  const style = { style: "unit", unit, unitDisplay: "long" } as const;
  return new Intl.NumberFormat(language, style).format(count);
}
