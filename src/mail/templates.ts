/** The mails that the service sends. Nothing in them is a user's own text, so there is nothing to escape. */
import type { MailData, outbox } from "../database/schema.ts";
import type { Language } from "./language.ts";
import type { Message } from "./transport.ts";

export type Template = typeof outbox.$inferSelect.template;

interface Words {
  /** Without the one-time password: mail servers log subjects, and locked telephones show them. */
  subject: string;
  /** What the one-time password is for. */
  request: string;
  ignore: string;
}

const WORDS: Record<Template, Record<Language, Words>> = {
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

// Counted from the request, since the mail itself may come late.
const VALIDITY: Record<Language, (time: string) => string> = {
  en: (time) => `It is valid for ${time} from when it was requested.`,
  ko: (time) => `인증번호는 요청하신 때부터 ${time} 동안 유효합니다.`,
};

/** The mail, in the language and with the one-time password of `data`. */
export function render(template: Template, { otp, language, expires_in }: MailData): Message {
  const { subject, request, ignore } = WORDS[template][language];
  const validity = VALIDITY[language](duration(expires_in, language));
  return {
    subject,
    text: `${request}\n\n    ${otp}\n\n${validity}\n${ignore}\n`,
    html: `<!doctype html>
<html lang="${language}">
<head><meta charset="utf-8"><title>${subject}</title></head>
<body style="font-family: sans-serif; font-size: 16px; line-height: 1.5">
<p>${request}</p>
<p style="font-size: 32px; letter-spacing: 4px"><strong>${otp}</strong></p>
<p>${validity}<br>${ignore}</p>
</body>
</html>
`,
  };
}

/** In whole minutes, rounded down so that nobody is promised too much; in seconds, if it is less than one. */
function duration(seconds: number, language: Language): string {
  const [count, unit] = seconds < 60 ? [seconds, "second"] : [Math.floor(seconds / 60), "minute"];
  const style = { style: "unit", unit, unitDisplay: "long" } as const;
  return new Intl.NumberFormat(language, style).format(count);
}
