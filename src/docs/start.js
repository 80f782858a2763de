// Starts Swagger UI. It is a file of its own, so that the page's policy allows no inline script.

/** Where the document is. */
const DOCUMENT = "/swagger/json";

/**
 * An error is one line until it is asked for. What any operation may answer (`x-common`) is left out here, because the
 * introduction tells it.
 */
const foldErrors = ({ React: { createElement, Fragment, useState } }) => ({
  wrapComponents: {
    response: (Response) =>
      function FoldedResponse(props) {
        const { code, response } = props;
        const [isOpen, setOpen] = useState(false);
        if (code < "400") return createElement(Response, props);
        if (response.get("x-common")) return null;
        const toggle = {
          type: "button",
          className: "error-toggle",
          "aria-expanded": isOpen,
          onClick: () => setOpen(!isOpen),
        };
        const line = createElement(
          "tr",
          { className: `response ${props.className ?? ""}`, "data-code": code },
          createElement("td", { className: "response-col_status" }, code),
          createElement(
            "td",
            { className: "response-col_description" },
            createElement("button", toggle, response.get("description")),
          ),
        );
        const details = createElement(Response, { ...props, className: "response_details" });
        return createElement(Fragment, null, line, isOpen && details);
      },
  },
});

/** A reload keeps the access token, and nothing else that a log-in needs or gives. */
const keepAccessTokenAlone = () => ({
  statePlugins: {
    auth: {
      wrapActions: {
        authorizeOauth2WithPersistOption:
          (authorize) =>
          ({ auth, token }) => {
            const { password, ...rest } = auth;
            const { refresh_token, ...kept } = token;
            return authorize({ auth: rest, token: kept });
          },
      },
    },
  },
});

const downloadDocument = ({ React: { createElement } }) => ({
  components: {
    InfoUrl: () =>
      createElement(
        "a",
        { href: DOCUMENT, download: "todos.openapi.json" },
        "Download the OpenAPI document",
      ),
  },
});

// There is one server, this one.
const noServers = { components: { ServersContainer: () => null } };

SwaggerUIBundle({
  url: DOCUMENT,
  dom_id: "#swagger-ui",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  filter: true,
  persistAuthorization: true,
  requestSnippetsEnabled: true,
  tryItOutEnabled: true,
  plugins: [foldErrors, keepAccessTokenAlone, downloadDocument, noServers],
});

// Swagger UI has a dark theme, but leaves it to the page to ask for it.
const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();
