// Websync goal "Shop visitors, everything", revision 7.
// Generated code: edit the goal on "https://websync.example/goals/shop-goal", not this file.
// Save it as "src/websync-application.ts". In the components that log visitors in, replace
//   const credentials = await authorize({ scope });
// by
//   const credentials = await authorize({ scope, additionalParameters: websyncParameters(profileId, values) });

// The parameters that carry BlueConic's values through the login. What is missing or too long is left out.
// Give it what BlueConic's mobile SDK tells you: the profile's id, and lists of values by the ids of their properties.
export function websyncParameters(profileId?: string | null, values: Record<string, string[]> = {}) {
  const parameters: Record<string, string> = {};
  if (profileId && /^[A-Za-z0-9-]{1,64}$/.test(profileId)) parameters["ext-bc_profile_id"] = profileId;
  // Profile property and the login parameter that carries it.
  const properties = [
    ["newsletter", "ext-bcp_newsletter"],
    ["favouriteCategory", "ext-bcp_favouritecategory_ucudav"],
    ["first_visit", "ext-bcp_first_visit"],
  ];
  const given = new Map(Object.entries(values));
  for (const [id, parameter] of properties) {
    const value = encodeValues(given.get(id) ?? []);
    if (value !== null) parameters[parameter] = value;
  }
  return parameters;
}

// Texts in the alphabet that Auth0 lets through ("~" for "%", "*" between texts); null if there is nothing to send.
function encodeValues(values: unknown[]) {
  const texts = values.map((value) => String(value ?? "")).filter((text) => text !== "");
  const escape = (character: string) => "%" + character.charCodeAt(0).toString(16).toUpperCase();
  try {
    const encoded = texts
      .map((text) => encodeURIComponent(text).replace(/[!~*'()]/g, escape).replace(/%/g, "~"))
      .join("*");
    return encoded !== "" && encoded.length <= 255 ? encoded : null;
  } catch {
    return null; // half of a surrogate pair is no text
  }
}
