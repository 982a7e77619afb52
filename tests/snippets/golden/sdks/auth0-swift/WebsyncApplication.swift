// Websync goal "Shop visitors, everything", revision 7.
// Generated code: edit the goal on "https://websync.example/goals/shop-goal", not this file.
// Add it to your app as "WebsyncApplication.swift". Where visitors log in, replace
//   Auth0.webAuth().start()
// by
//   Auth0.webAuth().parameters(websyncParameters(profileId: profileId, values: values)).start()
import Foundation

// The parameters that carry BlueConic's values through the login. What is missing or too long is left out.
// Give it what BlueConic's mobile SDK tells you: the profile's id, and lists of values by the ids of their properties.
func websyncParameters(profileId: String?, values: [String: [String]] = [:]) -> [String: String] {
    var parameters: [String: String] = [:]
    if let id = profileId, id.range(of: "\\A[A-Za-z0-9-]{1,64}\\z", options: .regularExpression) != nil {
        parameters["ext-bc_profile_id"] = id
    }
    // Profile property and the login parameter that carries it.
    let names = [
        ("newsletter", "ext-bcp_newsletter"),
        ("favouriteCategory", "ext-bcp_favouritecategory_ucudav"),
        ("first_visit", "ext-bcp_first_visit"),
    ]
    for (property, parameter) in names {
        parameters[parameter] = encodeValues(values[property] ?? [])
    }
    return parameters
}

// Texts in the alphabet that Auth0 lets through ("~" for "%", "*" between texts); nil if there is nothing to send.
private func encodeValues(_ texts: [String]) -> String? {
    let plain = CharacterSet(charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-")
    let escaped = texts.filter { !$0.isEmpty }.compactMap { $0.addingPercentEncoding(withAllowedCharacters: plain) }
    let encoded = escaped.joined(separator: "*").replacingOccurrences(of: "%", with: "~")
    return encoded.isEmpty || encoded.count > 255 ? nil : encoded
}
